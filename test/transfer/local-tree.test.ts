import path from 'node:path';
import test from 'ava';
import { attributesOfObject } from '../../src/vfs/stored-attributes.js';
import { LocalTree } from '../../src/transfer/local-tree.js';
import { makeDirectory } from '../mount/temporary.js';
import { fc } from '../seed.js';

const defaults = { uid: 0, gid: 0, filePermissions: 0o644, directoryPermissions: 0o755 };

test('a file that was written is there, whatever the time that it was given', async (t) => {
  const directory = await makeDirectory(t);
  const tree = new LocalTree(directory, path.join(directory, 'single'));
  await fc.assert(
    fc.asyncProperty(fc.bigInt({ min: 0n, max: 4_102_444_800_000_000_000n }), async (mtimeNs) => {
      const info = { metadata: {}, contentType: undefined, lastModifiedMs: 0 };
      const attributes = { ...attributesOfObject(info, false, defaults), mtimeNs };
      await tree.writeFile('file', attributes, (file) => file.writeFile('content'));
      t.true(await tree.hasFile('file', 7, attributes));
      t.false(await tree.hasFile('file', 7, { ...attributes, mtimeNs: mtimeNs + 10_000n }));
    }),
    {
      numRuns: 300,
      // 2026, after the whole microsecond by so much that the sum of all roundings is beyond one.
      examples: Array.from({ length: 250 }, (_, index): [bigint] => [
        1_796_000_000_123_456_750n + BigInt(index),
      ]),
    },
  );
});

test('what fills a file may read it back', async (t) => {
  const directory = await makeDirectory(t);
  const tree = new LocalTree(directory, path.join(directory, 'single'));
  const info = { metadata: {}, contentType: undefined, lastModifiedMs: 0 };
  await tree.writeFile('file', attributesOfObject(info, false, defaults), async (file) => {
    await file.write('content');
    const { buffer } = await file.read(Buffer.alloc(7), 0, 7, 0);
    t.is(buffer.toString(), 'content');
  });
});
