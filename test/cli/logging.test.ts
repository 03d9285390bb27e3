import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { CustomerKey } from '../../src/keys/customer-key.js';
import { FsError, StoreError } from '../../src/errors.js';
import { maxLogFileBytes, startLogging } from '../../src/cli/logging.js';
import { waitUntil } from '../mount/child.js';
import { makeDirectory } from '../mount/temporary.js';
import { patienceMs } from '../patience.js';

test('a log file is made for its owner alone', async (t) => {
  const file = path.join(await makeDirectory(t), 'mnt.log');
  const { log } = startLogging({ level: 'info', file });
  log.info({ answer: 42 }, 'hello');
  t.is((await stat(file)).mode & 0o777, 0o600);
  const line = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  t.is(line['answer'], 42);
  t.is(line['msg'], 'hello');
});

test('lines below the level are left out', async (t) => {
  const file = path.join(await makeDirectory(t), 'log');
  const { log } = startLogging({ level: 'warn', file });
  log.info({}, 'quiet');
  log.warn({}, 'loud');
  const text = await readFile(file, 'utf8');
  t.false(text.includes('quiet'));
  t.true(text.includes('loud'));
});

test('an error is logged with its code, stack and causes, and without what else hangs on it', async (t) => {
  const file = path.join(await makeDirectory(t), 'log');
  const { log } = startLogging({ level: 'info', file });
  const sdkError = Object.assign(new Error('refused'), {
    $response: { headers: { 'x-amz-server-side-encryption-customer-key': 'geheim' } },
    config: { secretAccessKey: 'geheim' },
  });
  const error = Object.assign(new Error('get a: not allowed', { cause: sdkError }), { code: 'AccessDenied' });
  for (const name of ['error', 'err', 'cause']) log.error({ [name]: error }, 'failed');
  const text = await readFile(file, 'utf8');
  t.false(text.includes('geheim'));
  const lines = text.trim().split('\n');
  t.is(lines.length, 3);
  for (const [index, name] of ['error', 'err', 'cause'].entries()) {
    const logged = (JSON.parse(lines[index]!) as Record<string, Record<string, unknown>>)[name]!;
    t.is(logged['code'], 'AccessDenied');
    t.is(logged['message'], 'get a: not allowed');
    t.regex(String(logged['stack']), /logging\.test/);
    t.is((logged['cause'] as Record<string, unknown>)['message'], 'refused');
  }
});

test('what is thrown on purpose is logged without stacks, a defect behind it with its own', async (t) => {
  const file = path.join(await makeDirectory(t), 'log');
  const { log } = startLogging({ level: 'info', file });
  const refusal = new StoreError('AccessDenied', 'get a: denied', { cause: new Error('HTTP 403') });
  log.error({ err: new FsError('EACCES', 'read a', { cause: refusal }) }, 'refused');
  log.error({ err: new FsError('EIO', 'read a', { cause: new TypeError('no such thing') }) }, 'a defect');
  const [refused, defect] = (await readFile(file, 'utf8')).trim().split('\n');
  t.false(refused!.includes('logging.test'), refused);
  for (const part of ['EACCES', 'AccessDenied', 'HTTP 403']) t.true(refused!.includes(part));
  t.regex(defect!, /no such thing.*logging\.test/);
});

test('an error that causes itself is logged all the same', async (t) => {
  const file = path.join(await makeDirectory(t), 'log');
  const { log } = startLogging({ level: 'info', file });
  const error = new Error('round');
  error.cause = error;
  t.notThrows(() => log.error({ error }, 'failed'));
  t.true((await readFile(file, 'utf8')).includes('round'));
});

test('customer keys and credentials are not written, wherever in the fields they are', async (t) => {
  const file = path.join(await makeDirectory(t), 'log');
  const { log } = startLogging({ level: 'trace', file });
  const secret = Buffer.alloc(32, 'geheim').toString();
  const customerKey = new CustomerKey(Buffer.from(secret));
  const base64 = customerKey.toBase64();
  log.trace({ customerKey, nested: { key: customerKey } }, 'key');
  log.trace({ input: { SSECustomerKey: base64, CopySourceSSECustomerKey: base64 } }, 'request');
  log.trace(
    { request: { headers: { 'x-amz-server-side-encryption-customer-key': base64, Authorization: secret } } },
    'headers',
  );
  log.trace(
    { 'x-amz-copy-source-server-side-encryption-customer-key': base64, secretAccessKey: secret },
    'flat',
  );
  log.trace({ credentials: { secretAccessKey: secret, sessionToken: secret } }, 'credentials');
  const text = await readFile(file, 'utf8');
  t.is(text.trim().split('\n').length, 5);
  t.false(text.includes('geheim'));
  t.false(text.includes(base64));
});

test('a log file that has grown too large is kept once and begun anew', async (t) => {
  const file = path.join(await makeDirectory(t), 'log');
  await writeFile(file, Buffer.alloc(maxLogFileBytes - 200, 'x'));
  const { log } = startLogging({ level: 'info', file });
  log.info({ padding: 'p'.repeat(200) }, 'the last of the old');
  log.info({}, 'the first of the new');
  await waitUntil('the old lines are written', patienceMs, async () =>
    (await readFile(`${file}.1`, 'utf8')).includes('the last of the old'),
  );
  t.true((await stat(file)).size < 1_000);
  t.true((await readFile(file, 'utf8')).includes('the first of the new'));
  t.false((await readFile(`${file}.1`, 'utf8')).includes('the first of the new'));
});

test('a log file in a directory that is missing throws', (t) => {
  t.throws(() => startLogging({ level: 'info', file: '/proc/none/log' }), { code: 'ENOENT' });
});

test('a disk that is full costs lines of the log, and nothing else', async (t) => {
  const { log } = startLogging({ level: 'info', file: '/dev/full' });
  for (let line = 0; line < 5000; line++) log.error({ line }, 'cannot be written anywhere');
  await new Promise((resolve) => setImmediate(resolve));
  t.pass(); // an error that nobody heard would have ended the process
});
