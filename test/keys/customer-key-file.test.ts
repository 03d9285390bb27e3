import { createHash } from 'node:crypto';
import { chmod, chown, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import {
  generateCustomerKeyFile,
  KeyFileError,
  readCustomerKeyFile,
} from '../../src/keys/customer-key-file.js';
import { run } from '../mount/child.js';
import { makeDirectory } from '../mount/temporary.js';

const text = 'abcdefghijklmnopqrstuvwxyz012345';

test('a key file of the owner alone is read', async (t) => {
  const file = path.join(await makeDirectory(t), 'key');
  await writeFile(file, text, { mode: 0o600 });
  const key = await readCustomerKeyFile(file);
  t.is(key.fingerprint, createHash('md5').update(text).digest('base64'));
  await chmod(file, 0o400);
  t.is((await readCustomerKeyFile(file)).fingerprint, key.fingerprint);
});

test('a key file that group or others can read or write is refused, with the command that mends it', async (t) => {
  const file = path.join(await makeDirectory(t), 'key');
  await writeFile(file, text);
  for (const mode of [0o640, 0o604, 0o620, 0o602, 0o610]) {
    await chmod(file, mode);
    const error = await t.throwsAsync(readCustomerKeyFile(file), { instanceOf: KeyFileError });
    t.is(error.code, 'TooOpen');
    t.is(
      error.message,
      `the key file ${file} has mode 0${mode.toString(8)}: others than its owner have access; run: chmod 600 ${file}`,
    );
  }
});

test('the mode that counts is that of the file behind a symbolic link', async (t) => {
  const directory = await makeDirectory(t);
  await writeFile(path.join(directory, 'key'), text, { mode: 0o600 });
  await symlink('key', path.join(directory, 'link'));
  await t.notThrowsAsync(readCustomerKeyFile(path.join(directory, 'link')));
});

test('a missing key file, a directory and a device are refused', async (t) => {
  const directory = await makeDirectory(t);
  await mkdir(path.join(directory, 'sub'), { mode: 0o700 });
  const missing = path.join(directory, 'missing');
  await t.throwsAsync(readCustomerKeyFile(missing), { message: `the key file ${missing} does not exist` });
  await t.throwsAsync(readCustomerKeyFile(path.join(directory, 'sub')), {
    message: `the key file ${directory}/sub is a directory, not a file`,
  });
  await t.throwsAsync(readCustomerKeyFile('/dev/zero'), {
    message: 'the key file /dev/zero is a device, not a file',
  });
});

test('a file that holds no key is refused with what was found, and without its content', async (t) => {
  const file = path.join(await makeDirectory(t), 'key');
  await writeFile(file, 'my dear secret\n', { mode: 0o600 });
  const error = await t.throwsAsync(readCustomerKeyFile(file), { instanceOf: KeyFileError });
  t.is(
    error.message,
    `the key file ${file} does not hold a 32-byte key: found 14 characters of text and a final newline; expected 32 bytes, 32 characters, 44 of base64 or 64 of hex`,
  );
  await writeFile(file, Buffer.alloc(1_000_000));
  await t.throwsAsync(readCustomerKeyFile(file), { message: /found more than 4096 bytes;/ });
});

test('a key is read from a pipe', async (t) => {
  const script = `import { readCustomerKeyFile } from ${JSON.stringify(
    new URL('../../src/keys/customer-key-file.js', import.meta.url).href,
  )}; process.stdout.write((await readCustomerKeyFile(process.argv[1])).fingerprint);`;
  const { stdout } = await run('bash', [
    '-c',
    '"$1" --input-type=module -e "$2" <(printf "%s\\n" "$3")',
    'bash',
    process.execPath,
    script,
    text,
  ]);
  t.is(stdout, createHash('md5').update(text).digest('base64'));
});

test('a pipe that has a name is its owner’s alone, and not waited for without end', async (t) => {
  const fifo = path.join(await makeDirectory(t), 'key');
  await run('mkfifo', ['-m', '666', fifo]);
  await t.throwsAsync(readCustomerKeyFile(fifo), { message: /has mode 0666: others than its owner/ });
  await chmod(fifo, 0o600);
  await t.throwsAsync(readCustomerKeyFile(fifo, { writerTimeoutMs: 50 }), {
    message: `the key file ${fifo} is a pipe, and nobody has written a key to it for 0.05 s`,
  });
  const reading = readCustomerKeyFile(fifo);
  await run('bash', ['-c', 'exec >"$1"; printf %s "$2"; sleep 0.2; echo', 'bash', fifo, text]);
  t.is((await reading).fingerprint, createHash('md5').update(text).digest('base64'));
});

(process.getuid?.() === 0 ? test : test.skip)('a key file of another user is refused', async (t) => {
  const file = path.join(await makeDirectory(t), 'key');
  await writeFile(file, text, { mode: 0o600 });
  await chown(file, 65534, 65534);
  const error = await t.throwsAsync(readCustomerKeyFile(file), { instanceOf: KeyFileError });
  t.is(error.code, 'NotOurs');
  t.true(error.message.startsWith(`the key file ${file} belongs to user 65534, who can read and replace it`));
});

test('a generated key file holds 44 characters of base64, is its owner’s alone, and reads back as the same key', async (t) => {
  const file = path.join(await makeDirectory(t), 'key');
  const key = await generateCustomerKeyFile(file, 'base64');
  t.is((await stat(file)).mode & 0o777, 0o600);
  t.regex(await readFile(file, 'latin1'), /^[A-Za-z0-9+/]{43}=\n$/);
  t.is((await readCustomerKeyFile(file)).toBase64(), key.toBase64());
});

test('a generated text key is 32 characters with no newline, which a program can take as they are', async (t) => {
  const file = path.join(await makeDirectory(t), 'key');
  const key = await generateCustomerKeyFile(file, 'text');
  const content = await readFile(file);
  t.regex(content.toString('latin1'), /^[A-Za-z0-9_-]{32}$/);
  t.is(key.toBase64(), content.toString('base64'));
  t.is((await readCustomerKeyFile(file)).fingerprint, key.fingerprint);
});

test('two generated keys differ', async (t) => {
  const directory = await makeDirectory(t);
  for (const form of ['base64', 'text'] as const) {
    const one = await generateCustomerKeyFile(path.join(directory, `${form}1`), form);
    const other = await generateCustomerKeyFile(path.join(directory, `${form}2`), form);
    t.not(one.fingerprint, other.fingerprint);
  }
});

test('generating never touches what exists, not even through a dangling link', async (t) => {
  const directory = await makeDirectory(t);
  const file = path.join(directory, 'key');
  await writeFile(file, 'precious');
  await symlink('nowhere', path.join(directory, 'link'));
  for (const name of ['key', 'link']) {
    const error = await t.throwsAsync(generateCustomerKeyFile(path.join(directory, name), 'base64'), {
      instanceOf: KeyFileError,
    });
    t.is(error.code, 'Exists');
    t.is(error.message, `${directory}/${name} exists and is never overwritten; choose another name`);
  }
  t.is(await readFile(file, 'utf8'), 'precious');
});

test('generating in a directory that is missing says so', async (t) => {
  const file = path.join(await makeDirectory(t), 'none', 'key');
  await t.throwsAsync(generateCustomerKeyFile(file, 'base64'), {
    message: `cannot make the key file ${file}: ENOENT: no such file or directory`,
  });
});
