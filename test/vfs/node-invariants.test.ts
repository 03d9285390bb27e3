import test, { type ExecutionContext } from 'ava';
import { DirectoryListing } from '../../src/vfs/directory-listing.js';
import { checkNode } from '../../src/vfs/node-invariants.js';
import { asDirectory, asFile, makeParts, signal } from './file-system-parts.js';

const readOnly = { read: true, write: false, truncate: false, exclusive: false, direct: false };

/** An open file and a directory with a marker, both right. */
async function makeNodes(t: ExecutionContext) {
  const parts = makeParts(t);
  const { store, root, finder, openFiles } = parts;
  store.putForeign('d/', '');
  store.putForeign('d/f', 'content');
  store.putForeign('d/g', 'another');
  const directory = asDirectory(await finder.requireChild(root, 'd', signal));
  const file = asFile(await finder.requireChild(directory, 'f', signal));
  const other = asFile(await finder.requireChild(directory, 'g', signal));
  const handle = openFiles.get(openFiles.open(file, readOnly).handle);
  t.notThrows(() => checkNode(file));
  t.notThrows(() => checkNode(directory));
  return { ...parts, directory, file, other, handle };
}

type Nodes = Awaited<ReturnType<typeof makeNodes>>;

/** What is wrong of a file, how it is made so, and what is said. */
const wrongFiles: readonly [string, string, (nodes: Nodes) => void | Promise<void>][] = [
  ['has negative lookups', 'was forgotten more often than looked up', ({ file }) => void (file.lookups = -1)],
  ['has negative pins', 'was let go of more often than held', ({ file }) => void (file.pins = -1)],
  ['is outdated and not removed', 'is outdated and has a name', ({ file }) => void (file.isOutdated = true)],
  [
    'has a handle that belongs to another',
    'has a handle of another file',
    ({ file, other, handle }) => file.addHandle({ ...handle, node: other }),
  ],
  [
    'has a handle that is younger than its generation',
    'has a handle of a later generation',
    ({ handle }) => void (handle.generation += 1),
  ],
  [
    'has a handle that is ahead of its changes',
    'has a handle with a change that was not counted',
    ({ handle }) => void (handle.lastChange = 1),
  ],
  [
    'has stored more than was changed',
    'has more stored changes than changes',
    ({ file }) => void (file.storedChanges = 1),
  ],
  [
    'is removed, open, and has no content',
    'is open, and its bytes are gone',
    ({ file }) => void (file.isRemoved = true),
  ],
  [
    'has neither object nor content',
    'is neither here nor in the bucket',
    ({ file }) => void (file.info = undefined),
  ],
  [
    'counts as new and is clean',
    'is new, and nothing of it waits to be stored',
    ({ file }) => void (file.creation = { atMs: 0, replaces: false }),
  ],
  [
    'is unreadable and changed',
    'is made up, and waits to be stored',
    async ({ file, write }) => {
      await write(file, 'changed');
      file.isUnreadable = true;
    },
  ],
  ['has the object of another key', 'has the object d/g', ({ file, other }) => void (file.info = other.info)],
  [
    'has clean content of a version that is not the known one',
    'is clean, and has another version than is known',
    ({ file, contents }) => {
      contents.of(file);
      if (file.info) file.info = { ...file.info, etag: 'another' };
    },
  ],
];

for (const [title, text, spoil] of wrongFiles) {
  test(`a file that ${title} is refused`, async (t) => {
    const nodes = await makeNodes(t);
    const { file } = nodes;
    await spoil(nodes);
    const error = t.throws(() => checkNode(file));
    t.is(error.message, `file ${file.id} (d/f): ${text}`);
  });
}

const wrongDirectories: readonly [string, string, (nodes: Nodes) => void][] = [
  [
    'has a child under another name',
    'has a child x of another name or parent',
    ({ directory, file }) => void directory.children.set('x', file),
  ],
  [
    'has a child of another parent',
    'has a child f of another name or parent',
    ({ root, file }) => void (file.parent = root),
  ],
  ['has a removed child', 'has a child f that is removed', ({ file }) => void (file.isRemoved = true)],
  [
    'has the marker of another directory',
    'has the marker d/f',
    ({ directory, file }) => void (directory.marker = file.info),
  ],
  [
    'has the listing of another directory',
    'has the listing of other/',
    ({ directory, store }) => {
      directory.listing = new DirectoryListing({
        store,
        prefix: 'other/',
        isRoot: false,
        startedAtMs: 0,
        now: () => 0,
        onHidden: () => undefined,
      });
    },
  ],
];

for (const [title, text, spoil] of wrongDirectories) {
  test(`a directory that ${title} is refused, unless it is removed`, async (t) => {
    const nodes = await makeNodes(t);
    const { directory } = nodes;
    spoil(nodes);
    const error = t.throws(() => checkNode(directory));
    t.is(error.message, `directory ${directory.id} (d/): ${text}`);
    directory.isRemoved = true;
    t.notThrows(() => checkNode(directory));
  });
}

test('a file that was removed may lack an object, and an outdated one its bytes', async (t) => {
  const { file, other } = await makeNodes(t);
  other.isRemoved = true;
  other.info = undefined;
  t.notThrows(() => checkNode(other), 'nobody has it open');
  file.isRemoved = true;
  file.isOutdated = true;
  t.notThrows(() => checkNode(file), 'its handles see ESTALE');
});
