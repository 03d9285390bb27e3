// Names from elsewhere reach a terminal as plain text.
import test from 'ava';
import { inOneLine, printable, withoutSteering } from '../src/printable.js';
import { fc } from './seed.js';

/** What terminals act on: C0, DEL, C1 and what changes direction or ends lines. */
function steers(text: string): boolean {
  return /\p{Cc}|\p{Bidi_Control}|\p{Zl}|\p{Zp}/u.test(text);
}

test('no text in one line steers a terminal', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      t.false(steers(inOneLine(text)));
      t.false(steers(printable(text)));
      t.false(steers(withoutSteering(text).replaceAll('\n', '')));
    }),
    {
      examples: [['\u001b]0;title\u0007'], ['\u009b2J'], ['\u202egnp.exe'], ['a\u2028b'], ['a\nosirisfs: b']],
    },
  );
});

test('what steers nothing is as it was, in any language', (t) => {
  for (const name of ['Größe', '数据', 'ملف', 'a b', '👩‍🔬', 'back\\slash', '"quoted"']) {
    t.is(printable(name), name);
    t.is(inOneLine(name), name);
  }
  t.is(withoutSteering('two\nlines'), 'two\nlines');
  t.is(printable('a\u001b"b'), '"a\\u001b\\"b"');
});

test('JSON means the same afterwards', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      t.deepEqual(JSON.parse(inOneLine(JSON.stringify({ text }))), { text });
      t.deepEqual(JSON.parse(withoutSteering(JSON.stringify({ text }, undefined, 2))), { text });
    }),
  );
});
