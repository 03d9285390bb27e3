import test from 'ava';
import { KeyIndex, type KeyQuery } from '../../../src/gateway/storage/key-index.js';
import { fc } from '../../seed.js';

const listed = (key: string) => ({ key, size: 0, etag: '', modifiedMs: 0 });

/** What S3 documents, said in the slowest way. */
function listSlowly(keys: readonly string[], { prefix, delimiter, after, maxKeys }: KeyQuery) {
  const bytes = (text: string) => Buffer.from(text);
  const found = new Set<string>();
  for (const key of [...keys].sort((a, b) => Buffer.compare(bytes(a), bytes(b)))) {
    if (!key.startsWith(prefix)) continue;
    const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    const shown = at === -1 ? key : key.slice(0, at + delimiter.length);
    const isBehind = Buffer.compare(bytes(shown), bytes(after)) > 0;
    const isInAfter = at !== -1 && after.startsWith(shown);
    if (isBehind && !isInAfter && Buffer.compare(bytes(key), bytes(after)) > 0) found.add(shown);
  }
  const all = [...found];
  return { shown: all.slice(0, maxKeys), isTruncated: all.length > maxKeys };
}

const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', 'é', '\u{1f600}', '\uff5e'), maxLength: 5 });

test('a listing shows what the slow one shows', (t) => {
  const query = fc.record({
    prefix: text,
    delimiter: fc.constantFrom('', '/', 'a', '//'),
    after: text,
    maxKeys: fc.integer({ min: 1, max: 8 }),
  });
  fc.assert(
    fc.property(fc.uniqueArray(text.filter(Boolean), { maxLength: 30 }), query, (keys, asked) => {
      const index = new KeyIndex(keys.map(listed));
      index.checkInvariants();
      const page = index.list(asked);
      const shown = [...page.objects.map(({ key }) => key), ...page.prefixes];
      const expected = listSlowly(keys, asked);
      t.deepEqual(shown.sort(), expected.shown.sort());
      t.is(page.next !== undefined, expected.isTruncated);
    }),
    { numRuns: 2000 },
  );
});

test('pages follow each other without gap or repetition', (t) => {
  fc.assert(
    fc.property(
      fc.uniqueArray(text.filter(Boolean), { maxLength: 30 }),
      fc.integer({ min: 1, max: 5 }),
      (keys, maxKeys) => {
        const index = new KeyIndex(keys.map(listed));
        const shown: string[] = [];
        let after: string | undefined = '';
        while (after !== undefined) {
          const page = index.list({ prefix: '', delimiter: '/', after, maxKeys });
          shown.push(...page.objects.map(({ key }) => key), ...page.prefixes);
          after = page.next;
        }
        const whole = index.list({ prefix: '', delimiter: '/', after: '', maxKeys: 1000 });
        t.deepEqual(shown.sort(), [...whole.objects.map(({ key }) => key), ...whole.prefixes].sort());
      },
    ),
  );
});

test('keys that are set and deleted in any order leave what a set would hold', (t) => {
  const step = fc.record({ key: text.filter(Boolean), isDeletion: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const index = new KeyIndex([]);
      const expected = new Set<string>();
      for (const { key, isDeletion } of steps) {
        if (isDeletion) {
          index.delete(key);
          expected.delete(key);
        } else {
          index.set(listed(key));
          expected.add(key);
        }
      }
      index.checkInvariants();
      t.is(index.size, expected.size);
      for (const key of expected) t.true(index.has(key));
    }),
  );
});
