import test from 'ava';
import { FileScope } from '../../mount/temporary.js';
import { KeyedBucket, keyOptions, makeTestKey, osirisfs, type TestKey } from '../keyed-bucket.js';

const scope = new FileScope();
let place: KeyedBucket;
let first: TestKey;
let second: TestKey;

test.before(async () => {
  place = await KeyedBucket.make(scope);
  [first, second] = await Promise.all([makeTestKey(scope), makeTestKey(scope)]);
  const third = await makeTestKey(scope);
  await place.put(first, 'good/1', '1');
  await place.put(second, 'good/2', '22');
  await place.put(third, 'bad/third', '4444');
  await place.putPlain('bad/plain', '55555');
});
test.after.always(() => scope.end());

const audit = (...args: readonly string[]) => osirisfs('audit', ...args);
const linesOf = (text: string) => text.trimEnd().split('\n');

test('a bucket whose objects are all under keys of the ring passes', async (t) => {
  const { stdout, stderr, code } = await audit(`${place.bucket}/good`, ...keyOptions(first, second));
  t.is(stderr, '');
  t.is(code, 0);
  t.deepEqual(linesOf(stdout), [
    '2 objects, 3 bytes',
    `1 encrypted under ${first.fingerprint}`,
    `1 encrypted under ${second.fingerprint}`,
    '0 not encrypted',
    '0 under unknown keys',
  ]);
});

test('what is not encrypted or under an unknown key is named, and the exit code is 1', async (t) => {
  const { stdout, code } = await audit(place.bucket, ...keyOptions(first));
  t.is(code, 1);
  t.deepEqual(linesOf(stdout), [
    'not-encrypted  bad/plain',
    'unknown-key    bad/third',
    'unknown-key    good/2',
    '4 objects, 12 bytes',
    `1 encrypted under ${first.fingerprint}`,
    '1 not encrypted',
    '2 under unknown keys',
  ]);
});

test('--json gives each finding and then the summary', async (t) => {
  const { stdout, code } = await audit(place.bucket, '--json', ...keyOptions(first, second));
  t.is(code, 1);
  t.deepEqual(
    linesOf(stdout).map((line) => JSON.parse(line) as unknown),
    [
      { key: 'bad/plain', size: 5, problem: 'not-encrypted' },
      { key: 'bad/third', size: 4, problem: 'unknown-key' },
      {
        summary: {
          objects: 4,
          bytes: 12,
          notEncrypted: 1,
          unknownKey: 1,
          notReadable: 0,
          encrypted: { [first.fingerprint]: 1, [second.fingerprint]: 1 },
        },
      },
    ],
  );
});

test('bad input is one line and an exit code', async (t) => {
  for (const [args, code, line] of [
    [[], 2, /^arguments are missing/],
    [[place.bucket, '-l'], 2, /^unknown option -l; see osirisfs audit --help$/],
    [[`${place.bucket}/none`, ...keyOptions(first)], 1, /^there is nothing at keyed-\w+\/none$/],
    [['no-such-bucket', ...keyOptions(first)], 1, /^there is no bucket "no-such-bucket" at /],
  ] as const) {
    const ended = await audit(...args);
    t.is(ended.code, code, ended.stderr);
    t.regex(ended.stderr.trim().replace(/^osirisfs: /, ''), line);
  }
});
