import test from 'ava';
import { makeParts, signal } from './file-system-parts.js';

test('hidden keys are told of once for each directory, of which a thousand are remembered', async (t) => {
  const { store, inodes, root, resolver, lines } = makeParts(t);
  const { attributes } = root;
  const list = async (name: string) => {
    const directory =
      root.children.get(name) ?? inodes.addDirectory(root, name, attributes, root.validatedAtMs);
    if (directory.kind !== 'directory') throw new Error('unreachable');
    store.putForeign(`${name}//hidden`, 'x');
    resolver.dropListing(directory);
    await resolver.listingOf(directory).loadMore(signal);
    store.objects.clear();
  };
  const told = () => lines.filter(({ message }) => message.includes('hidden')).length;
  for (let i = 0; i < 1000; i += 1) await list(`d${i}`);
  t.is(told(), 1000);
  await list('d0');
  await list('d999');
  t.is(told(), 1000);
  await list('one more');
  await list('d1');
  t.is(told(), 1001);
  await list('d0');
  t.is(told(), 1002, 'it was forgotten for the one more');
});
