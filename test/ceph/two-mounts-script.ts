/**
 * The programs that `two-mounts.test.ts` runs by `withBoto3`. Each version of a file says in its first line which it is and
 * what its checksum must be, so that a mixture of versions, or a part of one, is recognised wherever it was read.
 */

const versions = `
import errno, os, random, subprocess, threading, time, traceback
from collections import Counter

def content(name, version, size):
    body = random.Random('%s %d' % (name, version)).randbytes(size)
    return b'%s %d %s\\n' % (name.encode(), version, hashlib.sha256(body).hexdigest().encode()) + body

def version_of(name, data):
    """The version that 'data' is, all of it; None if it is no version of this file."""
    first, _, body = data.partition(b'\\n')
    words = first.split(b' ')
    if len(words) != 3 or words[0] != name.encode(): return None
    return int(words[1]) if words[2].decode() == hashlib.sha256(body).hexdigest() else None

problems, counts, counting = [], Counter(), threading.Lock()
def count(what):
    with counting: counts[what] += 1
def problem(text):
    if len(problems) < 20: problems.append(text)
`;

/**
 * Threads that write, rename over, put by boto3 and delete a few files, one change of a file at a time, and threads that read
 * them meanwhile by both mounts, also slowly, by handles that stay open. `answer` is {problems, counts}.
 */
export const randomClientsScript = `${versions}
MIB = 1 << 20
mounts, left = given['mounts'], given['changes']

class File:
    def __init__(self, name):
        self.name = name
        self.changing = threading.Lock()
        # Handles of one mount see what is written by that mount before it is stored: no reading beside that.
        self.beside = [threading.Lock() for _ in mounts]
        self.held = [[] for _ in mounts]
        self.states = threading.Lock()
        self.begun = self.done = 0
        self.removals = {}  # version that is the absence of the file -> [begun, next version done]

    def begin(self, is_removal):
        with self.states:
            self.begun += 1
            if is_removal: self.removals[self.begun] = [time.monotonic(), None]
            return self.begun

    def end(self, version):
        with self.states:
            if version - 1 in self.removals: self.removals[version - 1][1] = time.monotonic()
            self.done = version

    def may_be_absent(self, since):
        """Whether it was, or may have been, absent at some time after 'since'."""
        with self.states: return any(end is None or end >= since for _, end in self.removals.values())

files = [File('file-%d' % number) for number in range(5)]
for file in files: file.removals[0] = [0, None]
reading = True

def random_size(source):
    return source.randrange(source.choice([1, 300, 5000, 200_000, MIB, 2 * MIB, 12 * MIB]))

def write(source, path, data, how):
    if how == 'anew':
        with open(path, 'wb') as out: write_pieces(source, out, data)
    elif how == 'in place':
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), 'r+b') as out:
            write_pieces(source, out, data)
            out.truncate(len(data))
    else:
        with open(path + '.new', 'wb') as out: write_pieces(source, out, data)
        os.rename(path + '.new', path)

def write_pieces(source, out, data):
    at = 0
    while at < len(data):
        step = source.randrange(1, 3 * MIB)
        out.write(data[at:at + step])
        at += step

def change(source, file=None, who=None):
    may_remove = file is None
    if file is None: file, who = source.choice(files), source.randrange(len(mounts) + 1)
    with file.changing:
        began = time.monotonic()
        is_removal = may_remove and file.done not in file.removals and source.random() < 0.08
        version = file.begin(is_removal)
        data = content(file.name, version, random_size(source))
        try:
            if who == len(mounts):
                store_by_boto3(file, version, data, is_removal)
                count('changes by boto3')
            else:
                path = os.path.join(mounts[who]['directory'], 'folder', file.name)
                how = 'remove' if is_removal else source.choice(['anew', 'anew', 'in place', 'by rename'])
                with file.beside[who]:
                    while file.held[who]: advance(source, file, who, file.held[who][0], True)
                    if is_removal: os.unlink(path)
                    else: write(source, path, data, how)
                count('changes by a mount')
                count(how)
        except OSError as error:
            # A file made elsewhere that a mount need not know yet: there is nothing to remove, or the newer file is kept beside.
            believes_absent = who < len(mounts) and file.may_be_absent(began - mounts[who]['ttlSeconds'] - 1)
            if not believes_absent or error.errno not in (errno.ENOENT, errno.ESTALE):
                problem('%s version %d of %s by %s: %r %s' % ('removing' if is_removal else 'storing', version, file.name, who, error, traceback.format_exc()))
            store_by_boto3(file, version, data, is_removal)
            count('not known to be there')
        except Exception as error:
            problem('%s version %d of %s by %s: %r' % ('removing' if is_removal else 'storing', version, file.name, who, error))
        file.end(version)

def store_by_boto3(file, version, data, is_removal):
    for item in listed('folder/%s.conflict-' % file.name):
        kept = s3.get_object(Bucket=bucket, Key=item['Key'], **key)['Body'].read()
        if version_of(file.name, kept) != version: problem('beside version %d of %s another was kept' % (version, file.name))
        s3.delete_object(Bucket=bucket, Key=item['Key'])
    if is_removal: s3.delete_object(Bucket=bucket, Key='folder/' + file.name)
    else: s3.put_object(Bucket=bucket, Key='folder/' + file.name, Body=data, **key)

def stale_at_open(file, mount, least):
    # Linux looks the name up again once; then the file must have been replaced a second time, and a change by a mount can
    # be two versions of the object: the content, and the times set thereafter.
    if file.begun == least: problem('ESTALE at the opening of %s by %d: it was version %d all the time' % (file.name, mount, least))
    count('ESTALE at open')

class Held:
    def __init__(self, source, file, mount):
        self.least, self.opened = file.done, time.monotonic()
        self.fd = os.open(os.path.join(mounts[mount]['directory'], 'folder', file.name), os.O_RDONLY)
        self.data, self.step = b'', source.choice([5000, 300_000, 16 * MIB])

def advance(source, file, mount, held, to_the_end):
    """Reads on; at the end of the file, closes and looks at what came. ESTALE ends it as well."""
    try:
        while True:
            piece = os.pread(held.fd, held.step, len(held.data))
            held.data += piece
            if not piece: break
            if not to_the_end: return
        check(file, mount, held.least, version_of(file.name, held.data), len(held.data), 'read')
    except OSError as error:
        if error.errno != errno.ESTALE: problem('reading %s by %d: %r' % (file.name, mount, error))
        elif held.least == file.begun: problem('ESTALE from %s by %d, which nobody had changed' % (file.name, mount))
        count('ESTALE')
    file.held[mount].remove(held)
    os.close(held.fd)

def check(file, mount, least, version, length, how):
    if version is None: problem('%s by %d, %s: %d bytes are no version' % (file.name, mount, how, length))
    elif version < least: problem('%s by %d, %s: version %d after %d was stored' % (file.name, mount, how, version, least))
    else: count('whole reads')

def read(source):
    file, mount = source.choice(files), source.randrange(len(mounts))
    if not file.beside[mount].acquire(blocking=False): return
    try:
        if len(file.held[mount]) < 3 and source.random() < 0.5:
            opening, least = time.monotonic(), file.done
            try: file.held[mount].append(Held(source, file, mount))
            except FileNotFoundError:
                # What a listing said may be believed for so long.
                if not file.may_be_absent(opening - mounts[mount]['ttlSeconds'] - 1):
                    problem('%s is absent by %d after version %d was stored' % (file.name, mount, file.done))
                count('absent')
            except OSError as error:
                if error.errno != errno.ESTALE: problem('opening %s by %d: %r' % (file.name, mount, error))
                else: stale_at_open(file, mount, least)
        elif source.random() < 0.1: read_mapping(file, mount)
        elif file.held[mount]: advance(source, file, mount, source.choice(file.held[mount]), source.random() < 0.5)
    finally: file.beside[mount].release()

mapping = '''
import hashlib, mmap, os, sys
name, path = sys.argv[1:]
with open(path, 'rb') as file:
    if os.fstat(file.fileno()).st_size == 0: sys.exit('empty')
    data = bytes(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
first, _, body = data.partition(bytes([10]))
print(len(data), first.decode(errors='replace'), hashlib.sha256(body).hexdigest())
'''

# Mappings can die of SIGBUS and so need processes. A process made here would, by closing what it inherits, store files that are
# half written: one that has nothing open makes them.
mapper = subprocess.Popen([sys.executable, '-c', '''
import json, subprocess, sys
for line in sys.stdin:
    done = subprocess.run([sys.executable, '-c', *json.loads(line)], capture_output=True, text=True, timeout=120)
    print(json.dumps([done.returncode, done.stdout, done.stderr]), flush=True)
'''], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
asking = threading.Lock()

def read_mapping(file, mount):
    path = os.path.join(mounts[mount]['directory'], 'folder', file.name)
    with asking:
        least = file.done
        print(json.dumps([mapping, file.name, path]), file=mapper.stdin, flush=True)
        code, out, err = json.loads(mapper.stdout.readline())
    if code == 0:
        length, *words, checksum = out.split()
        is_whole = len(words) == 3 and words[0] == file.name and words[2] == checksum
        check(file, mount, least, int(words[1]) if is_whole else None, int(length), 'mapped')
        count('mappings')
    elif code == -7: count('mappings that failed')  # SIGBUS is what ESTALE is for mappings
    elif 'FileNotFoundError' in err: count('absent')
    elif '[Errno %d]' % errno.ESTALE in err and path in err: stale_at_open(file, mount, least)  # only open names it
    else: problem('mapping %s by %d: %d %s' % (file.name, mount, code, err[-300:]))

def changer(source):
    global left
    while True:
        with counting:
            if left <= 0: return
            left -= 1
        change(source)

def reader(source):
    while reading: read(source)

def guarded(work, seed):
    def run():
        try: work(random.Random(seed))
        except Exception as error: problem('a thread ended: %r' % error)
    return threading.Thread(target=run)

os.mkdir(os.path.join(mounts[0]['directory'], 'folder'))

# One of each, in an order that leaves nothing to chance: a file of its own mount, replaced by a client that knows of none.
ordered = random.Random(given['seed'])
for mount in range(len(mounts)):
    for who in (mount, len(mounts), mount):
        change(ordered, files[mount], who)
        held = Held(ordered, files[mount], mount)
        files[mount].held[mount].append(held)
        advance(ordered, files[mount], mount, held, True)

changers = [guarded(changer, given['seed'] + number) for number in range(2)]
readers = [guarded(reader, given['seed'] + 10 + number) for number in range(3)]
for thread in changers + readers: thread.start()
for thread in changers: thread.join()
reading = False
for thread in readers: thread.join()
mapper.stdin.close()
mapper.wait(60)
for file in files:
    for mount in range(len(mounts)):
        while file.held[mount]: advance(random, file, mount, file.held[mount][0], True)
    try:
        stored = s3.get_object(Bucket=bucket, Key='folder/' + file.name, **key)['Body'].read()
        if version_of(file.name, stored) != file.done: problem('%s is not version %d at the end' % (file.name, file.done))
    except ClientError as error:
        if file.done not in file.removals: problem('%s is missing at the end: %r' % (file.name, error))
strange = [item['Key'] for item in listed() if item['Key'].count('/') != 1 or '.' in item['Key']]
if strange: problem('left over: %r' % strange)
answer = {'problems': problems, 'counts': counts}
`;

/** Both mounts write one file at once, again and again. `answer` is {problems, counts}. */
export const contestScript = `${versions}
directories = given['directories']
name = 'contested'
together = threading.Barrier(len(directories))
outcomes = {}

def contend(who, contest):
    version = 2 * contest + who
    data = content(name, version, random.Random(version).choice([200, 70_000, 1_500_000]))
    try:
        file = os.open(os.path.join(directories[who], name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            together.wait(60)
            view = memoryview(data)
            while view: view = view[os.write(file, view):]
            os.fsync(file)
            outcomes[version] = 'stored'
        finally:
            try: os.close(file)
            except OSError: pass
    except OSError as error:
        outcomes[version] = 'kept beside' if error.errno == errno.ESTALE else repr(error)
    except Exception as error:
        outcomes[version] = repr(error)

def versions_in_bucket():
    found = {}
    for item in listed():
        data = s3.get_object(Bucket=bucket, Key=item['Key'], **key)['Body'].read()
        found[item['Key']] = version_of(name, data)
    return found

everything = set()
for contest in range(given['contests']):
    threads = [threading.Thread(target=contend, args=(who, contest)) for who in range(len(directories))]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    found = versions_in_bucket()
    everything |= set(found.values())
    if outcomes.get(found.get(name)) != 'stored': problem('contest %d: the file is %r of %r' % (contest, found.get(name), outcomes))
    for version in (2 * contest, 2 * contest + 1):
        count(outcomes[version])
        if outcomes[version] == 'kept beside' and version not in found.values(): problem('version %d is lost' % version)
        elif outcomes[version] not in ('stored', 'kept beside'): problem('version %d: %s' % (version, outcomes[version]))
    # Both had opened the file before either stored it.
    if all(outcomes[2 * contest + who] == 'stored' for who in range(2)): problem('contest %d: one replaced the other' % contest)
if None in everything: problem('an object is no version')
answer = {'problems': problems, 'counts': counts}
`;
