/**
 * The Python program of test/ceph/random-io.test.ts: random operations on one file of a mount, each checked against a twin
 * in memory. It gets JSON on standard input: `directory` on the mount, `twin` (a local file to leave the expected
 * content in), `seed`, `operations` and `maxSize`; prints how often it did what, and ends with 1 at the first difference.
 */
export const randomIoProgram = String.raw`
import collections, ctypes, json, mmap, os, random, sys

given = json.load(sys.stdin)
pick = random.Random(given['seed'])
max_size = given['maxSize']
path = os.path.join(given['directory'], 'file')
source_path = os.path.join(given['directory'], 'source')
page = 4096
history = collections.deque(maxlen=30)
counts = collections.Counter()
twin = bytearray()

libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong]
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_longlong]
libc.msync.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
keep_size, punch_hole, zero_range, ms_sync = 1, 2, 16, 4


class Difference(Exception):
    pass


def check(ok, what):
    if not ok:
        raise OSError(ctypes.get_errno(), '%s: %s' % (what, os.strerror(ctypes.get_errno())))


def note(text):
    history.append('%d %s' % (sum(counts.values()), text))


def compare(found, expected, offset, what):
    if found == expected:
        return
    if len(found) != len(expected):
        raise Difference('%s at %d: %d bytes instead of %d' % (what, offset, len(found), len(expected)))
    wrong = [index for index in range(len(found)) if found[index] != expected[index]]
    first, last = wrong[0], wrong[-1]
    raise Difference('%s: %d bytes from %d to %d differ, the first being %r instead of %r' % (
        what, len(wrong), offset + first, offset + last, bytes(found[first:first + 8]), bytes(expected[first:first + 8])))


def some_length():
    return pick.choice([pick.randrange(1, 16), pick.randrange(1, 10000), pick.randrange(1, 300000),
                        pick.randrange(1, 300000), pick.randrange(1, max_size // 5)])


def some_offset(end):
    # Near the start, the end, and the multiples that blocks, requests and parts have, things go wrong first.
    anywhere = pick.randrange(0, end + 1)
    near = pick.choice([anywhere] * 4 + [anywhere >> 20 << 20, anywhere // page * page, 0, end])
    return max(0, min(end, near + pick.choice([0, 0, -1, 1, -pick.randrange(1, 5000), pick.randrange(1, 5000)])))


def place():
    # Where to change something: mostly in the file, whose larger part is then data and not a hole, seldom behind its end.
    behind = pick.randrange(1, 2000000) if pick.random() < 0.1 else 0
    offset = min(len(twin) + behind if behind else some_offset(len(twin)), max_size - 1)
    return offset, min(some_length(), max_size - offset)


def some_bytes(length):
    return pick.randbytes(length)


def set_twin(offset, data):
    if offset > len(twin):
        twin.extend(bytes(offset - len(twin)))
    twin[offset:offset + len(data)] = data


def write_all(write, data):
    done = 0
    while done < len(data):
        done += write(data[done:])


def read_all(fd, offset, length):
    pieces = []
    while length > 0:
        piece = os.pread(fd, length, offset)
        if not piece:
            break
        pieces.append(piece)
        offset += len(piece)
        length -= len(piece)
    return b''.join(pieces)


def pread():
    offset, length = some_offset(len(twin)), some_length()
    note('pread(offset %d, length %d)' % (offset, length))
    compare(read_all(pick.choice([handle, reader]), offset, length), twin[offset:offset + length], offset, 'pread')


def pwrite():
    offset, length = place()
    data = some_bytes(length)
    note('pwrite(offset %d, length %d), the size being %d' % (offset, len(data), len(twin)))
    at = offset
    while at < offset + len(data):
        at += os.pwrite(handle, data[at - offset:], at)
    set_twin(offset, data)


def append():
    data = some_bytes(min(some_length(), max_size - len(twin)))
    note('append(length %d), the size being %d' % (len(data), len(twin)))
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    write_all(lambda rest: os.write(fd, rest), data)
    twin.extend(data)
    os.close(fd)


def truncate():
    larger = min(len(twin) + pick.randrange(1, 2000000), max_size)
    smaller = some_offset(len(twin)) if pick.random() < 0.1 else len(twin) - some_offset(len(twin) // 3)
    size = larger if pick.random() < 0.3 else smaller
    by_path = pick.random() < 0.2
    note('%s(%d), the size being %d' % ('truncate' if by_path else 'ftruncate', size, len(twin)))
    if by_path:
        os.truncate(path, size)
    else:
        os.ftruncate(handle, size)
    if size < len(twin):
        del twin[size:]
    else:
        set_twin(size, b'')


def mapped(change):
    if not twin:
        return
    offset = some_offset(len(twin) - 1)
    length = min(some_length(), len(twin) - offset)
    start = offset // page * page
    flush = change and pick.random() < 0.3
    note('mmap %s(offset %d, length %d)%s' % ('write' if change else 'read', offset, length, ', msync' if flush else ''))
    # Not by Python's mmap, which has a duplicate of the descriptor: closing that would store the file each time.
    extent = offset + length - start
    protection = mmap.PROT_READ | (mmap.PROT_WRITE if change else 0)
    address = libc.mmap(None, extent, protection, mmap.MAP_SHARED, handle, start)
    check(address != ctypes.c_void_p(-1).value, 'mmap')
    try:
        at = address + offset - start
        compare(ctypes.string_at(at, length), twin[offset:offset + length], offset, 'mmap read')
        if change:
            data = some_bytes(length)
            ctypes.memmove(at, data, length)
            set_twin(offset, data)
            if flush:
                check(libc.msync(address, extent, ms_sync) == 0, 'msync')
    finally:
        check(libc.munmap(address, extent) == 0, 'munmap')


def mmap_read():
    mapped(False)


def mmap_write():
    mapped(True)


def allocate():
    offset, length = place()
    note('posix_fallocate(offset %d, length %d), the size being %d' % (offset, length, len(twin)))
    os.posix_fallocate(handle, offset, length)
    if offset + length > len(twin):
        set_twin(offset + length, b'')


def zero(mode, name):
    offset, length = place()
    note('%s(offset %d, length %d), the size being %d' % (name, offset, length, len(twin)))
    check(libc.fallocate(handle, mode | keep_size, offset, length) == 0, name)
    end = min(offset + length, len(twin))
    if end > offset:
        twin[offset:end] = bytes(end - offset)


def punch():
    zero(punch_hole, 'punch hole')


def zero_fill():
    zero(zero_range, 'zero range')


def copy(source, content, name, source_offset, offset, length):
    note('copy_file_range(from %s, offset %d, to %d, length %d), the size being %d' % (
        name, source_offset, offset, length, len(twin)))
    data = bytes(content[source_offset:source_offset + length])
    done = 0
    while done < length:
        count = os.copy_file_range(source, handle, length - done, source_offset + done, offset + done)
        if count == 0:
            raise Difference('copy_file_range: ended after %d bytes' % done)
        done += count
    set_twin(offset, data)


def copy_inside():
    if len(twin) < 2:
        return
    length = pick.randrange(1, len(twin) // 2 + 1)
    source_offset = pick.randrange(0, len(twin) - 2 * length + 1)
    places = [pick.randrange(source_offset + length, min(len(twin) + 1, max_size))]
    if source_offset >= length:
        places.append(pick.randrange(0, source_offset - length + 1))
    offset = pick.choice(places)
    copy(handle, twin, 'the file', source_offset, offset, min(length, max_size - offset))


def copy_from_other():
    offset, length = place()
    length = min(length, len(other))
    copy(source, other, 'another file', pick.randrange(0, len(other) - length + 1), offset, length)


def direct():
    # Whole pages at page boundaries, into memory that is aligned as well.
    change = pick.random() < 0.5
    offset, length = place()
    offset = offset // page * page
    length = (length + page - 1) // page * page
    note('O_DIRECT %s(offset %d, length %d), the size being %d' % (
        'write' if change else 'read', offset, length, len(twin)))
    fd = os.open(path, (os.O_WRONLY if change else os.O_RDONLY) | os.O_DIRECT)
    with mmap.mmap(-1, length) as memory:
        if change:
            data = some_bytes(length)
            memory[:] = data
            count = os.pwritev(fd, [memory], offset)
            if count != length:
                raise Difference('O_DIRECT write: %d bytes instead of %d' % (count, length))
            set_twin(offset, data)
        else:
            count = os.preadv(fd, [memory], offset)
            compare(memory[:count], twin[offset:offset + length], offset, 'O_DIRECT read')
    os.close(fd)


def seek():
    if not twin:
        return
    offset = pick.randrange(0, len(twin))
    note('lseek(SEEK_HOLE from %d), the size being %d' % (offset, len(twin)))
    hole = os.lseek(handle, offset, os.SEEK_HOLE)
    try:
        data = os.lseek(handle, hole, os.SEEK_DATA)
    except OSError:
        data = len(twin)
    if not offset <= hole <= data <= len(twin):
        raise Difference('lseek: from %d the hole is %d to %d, the size %d' % (offset, hole, data, len(twin)))
    if any(twin[hole:data]):
        raise Difference('lseek: what is told to be a hole from %d to %d has data' % (hole, data))


def sync():
    note('fsync')
    pick.choice([os.fsync, os.fdatasync])(handle)


def open_handles():
    global handle, reader
    handle = os.open(path, os.O_RDWR | os.O_CREAT)
    reader = os.open(path, os.O_RDONLY)


def reopen():
    whole = pick.random() < 0.3
    note('close and open%s' % (', and compare' if whole else ''))
    os.close(handle)
    os.close(reader)
    open_handles()
    if whole:
        compare(read_all(handle, 0, max_size + 1), twin, 0, 'the whole file after opening')


operations = {
    pread: 12, pwrite: 14, append: 5, truncate: 6, mmap_read: 6, mmap_write: 8, allocate: 2, punch: 5, zero_fill: 2,
    copy_inside: 3, copy_from_other: 4, direct: 8, seek: 3, sync: 5, reopen: 6,
}


def main():
    global source, other
    other = pick.randbytes(max_size // 2)
    with open(source_path, 'wb') as file:
        file.write(other)
    source = os.open(source_path, os.O_RDONLY)
    open_handles()
    # Not with an empty file, or most of it would stay a hole for long.
    twin.extend(pick.randbytes(max_size // 2))
    write_all(lambda rest: os.write(handle, rest), twin)
    for operation in pick.choices(list(operations), list(operations.values()), k=given['operations']):
        operation()
        counts[operation.__name__] += 1
        size = os.fstat(handle).st_size
        if size != len(twin):
            raise Difference('the size is %d instead of %d' % (size, len(twin)))
    note('the end')
    compare(read_all(reader, 0, max_size + 1), twin, 0, 'the whole file at the end')
    for fd in [handle, reader, source]:
        os.close(fd)
    with open(given['twin'], 'wb') as file:
        file.write(twin)
    print(json.dumps(counts))


try:
    main()
except (Difference, OSError) as error:
    sys.exit('seed %d: %s\nthe last operations:\n%s' % (given['seed'], error, '\n'.join(history)))
`;
