import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import { ownText } from '../../src/s3/own-text.js';

test('the text is the same, whatever is in it', (t) => {
  for (const text of [
    '',
    'short',
    'a text of some length',
    'é and ü in latin-1',
    '日本語のとても長い名前です。',
    '🎉'.repeat(10),
  ]) {
    t.is(ownText(text), text);
    t.is(ownText(`before ${text} after`.slice(7, 7 + text.length)), text);
  }
});

test('a part of a long text does not keep all of it in memory', (t) => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const heapBytes = () => {
    collectGarbage();
    return getHeapStatistics().used_heap_size;
  };
  const before = heapBytes();
  const parts = Array.from({ length: 200 }, (_, at) =>
    ownText(
      String.fromCharCode(97 + (at % 26))
        .repeat(200_000)
        .replace('x', 'y')
        .slice(1000, 1100),
    ),
  );
  const keptBytes = heapBytes() - before;
  t.is(parts.join('').length, 20_000);
  t.true(keptBytes < 4_000_000, `${keptBytes} bytes`);
});
