import test from 'ava';
import { fsErrorCodes } from '../../src/errors.js';
import { errnoNumber } from '../../src/fuse/errno.js';

test('every error of the file system has a number of its own, as the kernel counts them', (t) => {
  const numbers = fsErrorCodes.map((code) => errnoNumber(code));
  t.is(new Set(numbers).size, fsErrorCodes.length);
  for (const number of numbers) t.true(Number.isInteger(number) && number > 0 && number < 512, `${number}`);
  t.is(errnoNumber('ENOENT'), 2);
});
