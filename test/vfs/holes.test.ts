// Zeros that nobody wrote are sent as any bytes, so that there is a limit to them.
import test from 'ava';
import type { FileSystemClient, OpenFile } from './file-system-client.js';
import { Fixture } from './file-system-fixture.js';

const maxHoleBytes = 100_000;
const isTooLarge = { code: 'EFBIG' } as never;

const ways: Readonly<
  Record<string, (file: OpenFile, client: FileSystemClient, end: number) => Promise<void>>
> = {
  ftruncate: (file, _client, end) => file.truncate(end),
  'a write beyond the end': (file, _client, end) => file.write(end, 'x'),
  fallocate: ({ inode, handle }, { fs, call }, end) =>
    fs.fallocate(
      {
        inode,
        handle,
        offset: 0,
        length: end,
        mode: { keepSize: false, punchHole: false, zeroRange: false },
      },
      call,
    ),
};

for (const [title, extend] of Object.entries(ways)) {
  test(`${title} makes a hole up to the limit, and is refused beyond it with the file as it was`, async (t) => {
    const fixture = new Fixture(t);
    const { client, lines } = fixture.mount({ maxHoleBytes });
    const file = await client.create('f');
    await file.write(0, 'head');
    await t.throwsAsync(extend(file, client, 8 * 2 ** 40), isTooLarge);
    await t.throwsAsync(extend(file, client, maxHoleBytes + 5), isTooLarge);
    t.is((await file.stat()).size, 4);
    t.true(lines.some(({ level, message }) => level === 'error' && message.includes('--max-hole')));
    await extend(file, client, maxHoleBytes + 4);
    await file.close();
    t.is(fixture.store.contentOf('f')?.subarray(0, 5).toString(), 'head\0');
  });

  test(`${title} in steps has the same limit until the file is stored`, async (t) => {
    const fixture = new Fixture(t);
    const { client } = fixture.mount({ maxHoleBytes });
    const file = await client.create('f');
    await extend(file, client, 60_000);
    await t.throwsAsync(extend(file, client, 120_000), isTooLarge);
    await file.flush();
    await extend(file, client, 120_000);
    await file.close();
  });
}

test('a hole that was cut off does not count', async (t) => {
  const { client } = new Fixture(t).mount({ maxHoleBytes });
  const file = await client.create('f');
  for (let time = 0; time < 5; time += 1) {
    await file.truncate(80_000);
    await file.truncate(0);
  }
  await t.throwsAsync(client.setAttributes('f', { size: 100_001 }), isTooLarge);
  await file.close();
});

test('what is written one piece after the other has no limit', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount({ maxHoleBytes: 0 });
  const file = await client.create('f');
  for (let offset = 0; offset < 300_000; offset += 100_000)
    await file.write(offset, Buffer.alloc(100_000, 1));
  await file.close();
  t.is(fixture.store.contentOf('f')?.length, 300_000);
});
