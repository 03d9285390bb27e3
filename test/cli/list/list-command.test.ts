import test from 'ava';
import { bash } from '../../mount/child.js';
import { FileScope, nowhere } from '../../mount/temporary.js';
import { projectRoot } from '../../mount/user.js';
import { KeyedBucket, keyOptions, makeTestKey, osirisfs, type TestKey } from '../keyed-bucket.js';

const scope = new FileScope();
let place: KeyedBucket;
let first: TestKey;
let second: TestKey;

test.before(async () => {
  place = await KeyedBucket.make(scope);
  [first, second] = await Promise.all([makeTestKey(scope), makeTestKey(scope)]);
  const third = await makeTestKey(scope);
  await place.put(first, 'dir/first', '1', { mtime: '1000000000.5' });
  await place.put(second, 'dir/second', '22');
  await place.put(second, 'dir/sub/deep', '333');
  await place.put(third, 'dir/third', '4444');
  await place.putPlain('dir/plain', '55555');
  await place.putPlain('top\nline', 'x');
});
test.after.always(() => scope.end());

const list = (...args: readonly string[]) => osirisfs('ls', ...args);
const linesOf = (text: string) => text.trimEnd().split('\n');

test('names are listed with the directories below, and with -R what is in them', async (t) => {
  const { stdout, stderr, code } = await list(place.bucket, ...keyOptions(first));
  t.is(stderr, '');
  t.is(code, 0);
  t.deepEqual(linesOf(stdout), ['dir/', '"top\\nline"']);
  const recursive = await list(`${place.bucket}/dir`, '-R', ...keyOptions(first));
  t.deepEqual(linesOf(recursive.stdout), ['first', 'plain', 'second', 'sub/deep', 'third']);
  const one = await list(`${place.bucket}/dir/first`, ...keyOptions(first));
  t.deepEqual(linesOf(one.stdout), ['dir/first']);
});

test('-l shows under which key of the ring each object is, its size and its own time', async (t) => {
  const { stdout, code } = await list(`${place.bucket}/dir`, '-l', ...keyOptions(first, second));
  t.is(code, 0);
  const rows = linesOf(stdout).map((line) => line.split(/ {2,}/));
  t.deepEqual(rows[0], ['sub/']);
  t.deepEqual(
    rows.slice(1).map(([key, size, , name]) => [key, size, name]),
    [
      [first.fingerprint, '1', 'first'],
      ['not-encrypted', '5', 'plain'],
      [second.fingerprint, '2', 'second'],
      ['unknown-key', '4', 'third'],
    ],
  );
  t.is(rows[1]?.[2], '2001-09-09 01:46:40');
});

test('--json says the same in one object a line', async (t) => {
  const { stdout } = await list(`${place.bucket}/dir`, '--json', '-R', ...keyOptions(first));
  const rows = linesOf(stdout).map((line) => JSON.parse(line) as Record<string, unknown>);
  t.deepEqual(
    rows.map(({ key, encryption, fingerprint }) => [key, encryption, fingerprint]),
    [
      ['dir/first', 'encrypted', first.fingerprint],
      ['dir/plain', 'not-encrypted', undefined],
      ['dir/second', 'unknown-key', undefined],
      ['dir/sub/deep', 'unknown-key', undefined],
      ['dir/third', 'unknown-key', undefined],
    ],
  );
  t.is(rows[0]?.['mtime'], '2001-09-09T01:46:40.500Z');
});

test('a reader that stops early ends it quietly', async (t) => {
  const command = 'exec 2>&1; "$1" "$2" ls "$3" -R --key-file "$4" | head -n 1; echo "${PIPESTATUS[0]}"';
  const main = `${projectRoot}/dist/src/main.cjs`;
  const args = [process.execPath, main, place.bucket, first.path];
  t.is(await bash(command, args, { env: { XDG_CONFIG_HOME: nowhere } }), 'dir/first\n0\n');
});

test('bad input is one line and an exit code', async (t) => {
  for (const [args, code, line] of [
    [[], 2, /^arguments are missing: 0 given, 1 needed; see osirisfs ls --help$/],
    [[place.bucket], 2, /^--key-file is missing/],
    [[place.bucket, '--key-file', nowhere], 1, /^the key file \/proc\/nowhere does not exist$/],
    [['b', ...keyOptions(first)], 2, /^"b" does not begin with a bucket name/],
    [['no-such-bucket', ...keyOptions(first)], 1, /^there is no bucket "no-such-bucket" at /],
    [[`${place.bucket}/none`, ...keyOptions(first)], 1, /^there is nothing at keyed-\w+\/none$/],
    [[place.bucket, '--cache-size', '1G'], 2, /^unknown option --cache-size; see osirisfs ls --help$/],
    [
      [place.bucket, ...keyOptions(first), '--endpoint', 'https://127.0.0.1:1'],
      1,
      /^127\.0\.0\.1:1 refuses connections/,
    ],
  ] as const) {
    const ended = await list(...args);
    t.is(ended.code, code, ended.stderr);
    t.is(ended.stdout, '');
    t.regex(ended.stderr.trim().replace(/^osirisfs: /, ''), line);
    t.is(ended.stderr.trim().split('\n').length, 1);
  }
});
