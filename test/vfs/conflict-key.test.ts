import test from 'ava';
import { FsError } from '../../src/errors.js';
import { conflictKeyOf, shortened } from '../../src/vfs/conflict-key.js';
import { InodeTable } from '../../src/vfs/inode-table.js';
import { isShowableName } from '../../src/vfs/names.js';
import type { DirectoryNode } from '../../src/vfs/nodes.js';
import type { StoredAttributes } from '../../src/vfs/stored-attributes.js';
import { writeFlags } from './file-system-client.js';
import { Fixture } from './file-system-fixture.js';

const time = new Date('2026-01-02T03:04:05.678Z');
const suffix = '.conflict-here-2026-01-02T03:04:05.678Z';
const noAttributes = {} as StoredAttributes;

/** The key for a file in directories of these names; those that are `gone` have been removed. */
function keyFor(path: readonly string[], { prefix = '', host = 'here', gone = 0 } = {}): string {
  const inodes = new InodeTable(prefix, noAttributes, 0);
  let directory: DirectoryNode = inodes.root;
  for (const name of path.slice(0, -1)) directory = inodes.addDirectory(directory, name, noAttributes, 0);
  const node = inodes.addFile(directory, path.at(-1) ?? '', noAttributes, undefined, 0);
  for (let left = gone, at: DirectoryNode | undefined = directory; left > 0 && at; left -= 1, at = at.parent)
    at.isRemoved = true;
  return conflictKeyOf({ node, host, time, maxKeyBytes: 1024 }).key;
}

test('a name that fits is kept whole, beside the file', (t) => {
  t.is(keyFor(['d', 'f.txt']), `d/f.txt${suffix}`);
  t.is(keyFor(['d', 'gone', 'f.txt'], { gone: 1 }), `d/f.txt${suffix}`);
});

test('whatever the name, the host and the directories are, the key can be shown and stored, set aside as well', (t) => {
  const names = [
    'a'.repeat(255),
    `${'b'.repeat(236)}.pdf`,
    'ü'.repeat(127),
    '😀'.repeat(63),
    `.${'c'.repeat(254)}`,
  ];
  for (const name of names) {
    for (const depth of [0, 1, 2, 3]) {
      for (const host of ['here', 'h'.repeat(64)]) {
        const path = Array.from({ length: depth }, (_, level) => String(level).repeat(255));
        const key = keyFor([...path, name], { host });
        const kept = key.slice(key.lastIndexOf('/') + 1);
        t.true(isShowableName(`${kept}.other`), kept);
        t.true(Buffer.byteLength(`${key}.other`) <= 1024);
        t.true(kept.startsWith(name.slice(0, 20)), 'it can be recognised');
        t.false(kept.includes('\ufffd'));
      }
    }
  }
});

test('where the key has no room for the suffix, a directory above has', (t) => {
  const path = ['a'.repeat(255), 'b'.repeat(255), 'c'.repeat(255), 'd'.repeat(245), 'file'];
  t.is(keyFor(path), `${path.slice(0, 3).join('/')}/file${suffix}`);
  const prefix = `${'p'.repeat(1010)}/`;
  t.throws(() => keyFor(['file'], { prefix }), { instanceOf: FsError, code: 'ENAMETOOLONG' } as never);
});

test('a name is cut at a character, and keeps its extension', (t) => {
  t.is(shortened('report.pdf', 10), 'report.pdf');
  t.is(shortened('report.pdf', 7), 'rep.pdf');
  t.is(shortened('äöü.pdf', 7), 'ä.pdf');
  t.is(shortened('a😀😀', 5), 'a😀');
  t.is(shortened('a😀😀', 4), 'a');
  t.is(shortened('.profile', 4), '.pro');
  t.is(shortened(`name.${'x'.repeat(40)}`, 12), 'name.xxxxxxx');
  t.is(shortened('report.pdf', 4), undefined);
});

test('a file of a long name that lost a race is kept under a name that ls shows', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  const name = `${'n'.repeat(236)}.pdf`;
  fixture.store.putForeign(name, 'base');
  const file = await client.open(name, writeFlags);
  await file.write(0, 'ours');
  fixture.store.putForeign(name, 'theirs');
  await t.throwsAsync(file.close(), { code: 'ESTALE' } as never);
  const kept = (await client.list('')).filter((listed) => listed.includes('.pdf.conflict-'));
  t.is(kept.length, 1);
  t.is((await client.readFile(kept[0] ?? '')).toString(), 'ours');
  t.deepEqual(fs.pendingKeys(), []);
});
