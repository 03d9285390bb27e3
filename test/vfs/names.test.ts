import test from 'ava';
import { FsError } from '../../src/errors.js';
import { isShowableName, keyOfEntry } from '../../src/vfs/names.js';

test('names that a directory can hold are shown, in any script', (t) => {
  for (const name of [
    'a',
    '.hidden',
    '...',
    'ü',
    '数据',
    'a b',
    'a\nb',
    'x'.repeat(255),
    '\u{1f600}'.repeat(63),
  ]) {
    t.true(isShowableName(name), name);
  }
});

test('keys that no directory entry can be named by are not shown', (t) => {
  for (const name of ['', '.', '..', 'a/b', 'a\0b', 'x'.repeat(256), 'ü'.repeat(128), '\ud800']) {
    t.false(isShowableName(name), JSON.stringify(name));
  }
});

test('the key of an entry is its prefix and name, with a slash for a directory', (t) => {
  t.is(keyOfEntry('', 'a', 'file', 1024), 'a');
  t.is(keyOfEntry('x/', 'a', 'directory', 1024), 'x/a/');
});

test('a key of exactly the limit is accepted and one byte more is refused', (t) => {
  const prefix = `${'p'.repeat(250)}/`.repeat(4);
  const name = 'n'.repeat(1024 - prefix.length);
  t.is(Buffer.byteLength(keyOfEntry(prefix, name, 'file', 1024)), 1024);
  const tooLong = { instanceOf: FsError, code: 'ENAMETOOLONG' };
  t.throws(() => keyOfEntry(prefix, `${name}n`, 'file', 1024), tooLong);
  t.throws(() => keyOfEntry(prefix, name, 'directory', 1024), tooLong);
});

test('a name of more than 255 bytes is refused, counted in bytes and not in characters', (t) => {
  t.throws(() => keyOfEntry('', 'ü'.repeat(128), 'file', 1024), { code: 'ENAMETOOLONG' });
});
