// A file that is written while it, or a directory above, gets another name: everything written is under the new one.
import { randomBytes } from 'node:crypto';
import test from 'ava';
import { manyTurns, turnsUntil } from '../patience.js';
import { OpenFile, readFlags } from './file-system-client.js';
import { Fixture } from './file-system-fixture.js';

const pieceBytes = 512 * 1024;
const pieces = Array.from({ length: 48 }, () => randomBytes(pieceBytes));
const beginning = randomBytes(100_000);

/** Requests wait in it until it is opened. */
function makeGate() {
  let open: () => void = () => undefined;
  const passage = new Promise<void>((resolve) => (open = resolve));
  return { passage, open, arrivals: 0 };
}

async function writePieces(file: OpenFile): Promise<Buffer> {
  let at = beginning.length;
  for (const piece of pieces) {
    await file.write(at, piece);
    at += piece.length;
  }
  return Buffer.concat([beginning, ...pieces]);
}

/** Of what nobody reads, nothing is kept once it is sent: who asks for it, or changes it, has the file stored before it is closed. */
const triggers: Record<string, (file: OpenFile, open: () => Promise<OpenFile>) => Promise<void>> = {
  'another program reads': async (_file, open) => {
    const reader = await open();
    await Promise.all(pieces.map((_, i) => reader.read(beginning.length + i * pieceBytes, pieceBytes)));
    await reader.close();
  },
  'the writer changes': (file) => file.write(12 * 1024 * 1024, pieces[0] as Buffer),
};

const moves = {
  'a file': { from: 'd/f', to: 'd/g', file: 'd/f', moved: 'd/g' },
  'a directory': { from: 'd', to: 'e', file: 'd/s/f', moved: 'e/s/f' },
};

for (const [what, { from, to, file: path, moved }] of Object.entries(moves)) {
  for (const [trigger, act] of Object.entries(triggers)) {
    test(`what ${trigger} while ${what} is renamed is stored under the new name`, async (t) => {
      const fixture = new Fixture(t);
      const { client, fs, lines } = fixture.mount();
      await client.makeDirectory('d');
      await client.makeDirectory('d/s');
      const file = await client.create(path, { read: false });
      await file.write(0, beginning);
      await file.synchronize();
      const gate = makeGate();
      // The copy is complete; its reply, and the removal of the former name, are still to come.
      fixture.store.afterRequest = (method, key) => {
        if (method !== 'copy' || key !== moved) return undefined;
        gate.arrivals += 1;
        return gate.passage;
      };
      const renaming = client.rename(from, to);
      await turnsUntil('the copy is made', () => gate.arrivals > 0);
      const expected = await writePieces(file);
      await manyTurns(); // until what can be sent is sent
      // By its inode, as the kernel would: the name is just being taken away.
      const acting = act(file, async () => {
        const { handle } = await fs.open({ inode: file.inode, flags: readFlags }, client.call);
        client.hold(file.inode);
        return new OpenFile(client, file.inode, handle);
      });
      await manyTurns();
      t.is(
        fixture.store.contentOf(path)?.length,
        beginning.length,
        'nothing appears that the rename removes',
      );
      fixture.store.afterRequest = () => undefined;
      gate.open();
      await renaming;
      await acting;
      if (trigger === 'the writer changes') pieces[0]?.copy(expected, 12 * 1024 * 1024);
      await file.close();
      t.true(lines.some(({ message }) => message.startsWith('stored before it is closed')));
      t.true(fixture.store.contentOf(moved)?.equals(expected));
      const others = [...fixture.store.objects.keys()].filter((key) => key !== moved && !key.endsWith('/'));
      t.deepEqual(others, []);
      t.deepEqual(fs.pendingKeys(), []);
    });
  }
}

test('a rename waits for a store whose caller has gone, and takes it along', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  const file = await client.create('f', { read: false });
  await file.write(0, beginning);
  const gate = makeGate();
  fixture.store.beforeRequest = (method) => {
    if (method !== 'put') return undefined;
    gate.arrivals += 1;
    return gate.passage;
  };
  const controller = new AbortController();
  const flushing = fs.flush(
    { inode: file.inode, handle: file.handle },
    { ...client.call, signal: controller.signal },
  );
  await turnsUntil('it is being stored', () => gate.arrivals > 0);
  controller.abort();
  await t.throwsAsync(flushing, { code: 'EINTR' } as never);
  const renaming = client.rename('f', 'g');
  await manyTurns();
  fixture.store.beforeRequest = () => undefined;
  gate.open();
  await renaming;
  await file.close();
  t.deepEqual([...fixture.store.objects.keys()], ['g']);
  t.true(fixture.store.contentOf('g')?.equals(beginning));
});

test('files that have ranges of each other are stored for readers while both are closed and renamed', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  const half = 2 * 1024 * 1024;
  const contents = [randomBytes(2 * half), randomBytes(2 * half)] as const;
  fixture.store.putForeign('d/a', contents[0]);
  fixture.store.putForeign('d/b', contents[1]);
  const flags = { ...readFlags, write: true };
  const [a, b] = [await client.open('d/a', flags), await client.open('d/b', flags)];
  await Promise.all([
    fs.copyFileRange({ from: a.at(0), to: b.at(0), length: half }, client.call),
    fs.copyFileRange({ from: b.at(half), to: a.at(half), length: half }, client.call),
  ]);
  const tail = Buffer.concat(pieces);
  for (const file of [a, b]) {
    let at = 2 * half;
    for (const piece of pieces) {
      await file.write(at, piece);
      at += piece.length;
    }
  }
  await Promise.all([
    a.read(2 * half, 1000),
    b.read(2 * half, 1000),
    a.close(),
    b.close(),
    client.rename('d', 'e'),
  ]);
  const [storedA, storedB] = [fixture.store.contentOf('e/a'), fixture.store.contentOf('e/b')];
  t.true(storedA?.subarray(2 * half).equals(tail));
  t.true(storedB?.subarray(2 * half).equals(tail));
  t.true(storedB?.subarray(0, half).equals(contents[0].subarray(0, half)));
  t.false([...fixture.store.objects.keys()].some((key) => key.startsWith('d/') || key.includes('conflict')));
});
