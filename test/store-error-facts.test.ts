import test from 'ava';
import { storeErrorCodes } from '../src/errors.js';
import { isStoreErrorCode, storeErrorFacts } from '../src/store-error-facts.js';

test('every code has its facts, and a meaning of its own', (t) => {
  t.deepEqual(Object.keys(storeErrorFacts).sort(), [...storeErrorCodes].sort());
  const meanings = storeErrorCodes.map((code) => storeErrorFacts[code].meaning);
  t.false(meanings.includes(''));
  t.is(new Set(meanings).size, storeErrorCodes.length);
});

test('what passes, and what concerns all objects, is trouble, but for the end of what the caller asked for', (t) => {
  for (const code of storeErrorCodes) {
    const { passes, concernsAll, isTrouble = true } = storeErrorFacts[code];
    if (passes !== 'never' || concernsAll) t.is(isTrouble, code !== 'Aborted', code);
  }
});

test('what is refused for good is not tried again soon', (t) => {
  for (const code of storeErrorCodes) {
    const { passes, isRefusal } = storeErrorFacts[code];
    if (isRefusal) t.not(passes, 'soon', code);
  }
});

test('a code of another version is none', (t) => {
  t.true(isStoreErrorCode('NotFound'));
  for (const name of ['Other', 'toString', '__proto__']) t.false(isStoreErrorCode(name), name);
});
