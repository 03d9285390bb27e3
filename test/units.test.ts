import test from 'ava';
import { parseDurationMs, parseSize } from '../src/units.js';

test('sizes are bytes, or count in powers of 1,024 with a letter or iB, and of 1,000 with B', (t) => {
  const sizes = {
    '0': 0,
    '65536': 65536,
    '64k': 65536,
    '64K': 65536,
    '64KiB': 65536,
    '64 kib': 65536,
    '64kB': 64000,
    '256MiB': 2 ** 28,
    '1G': 2 ** 30,
    '1.5G': 1.5 * 2 ** 30,
    '1GB': 1e9,
    '2T': 2 ** 41,
    '100B': 100,
    ' 7 ': 7,
  };
  for (const [text, size] of Object.entries(sizes)) t.is(parseSize(text), size, text);
});

test('what is no size, or no whole number of bytes, is undefined', (t) => {
  const others = [
    '',
    'k',
    '-1',
    '1e3',
    '0x10',
    '12q',
    '1 2',
    '1.0001k',
    '0.5',
    '9999T',
    '99999999999999999',
    '1,5G',
    'toString',
  ];
  for (const text of others) t.is(parseSize(text), undefined, text);
});

test('durations are seconds, or have a unit', (t) => {
  const durations = {
    '0': 0,
    '30': 30_000,
    '0.5': 500,
    '500ms': 500,
    '5s': 5_000,
    '2m': 120_000,
    '2min': 120_000,
    '1h': 3_600_000,
    '1.5 s': 1_500,
  };
  for (const [text, durationMs] of Object.entries(durations)) t.is(parseDurationMs(text), durationMs, text);
});

test('what is no duration, or no whole number of milliseconds, is undefined', (t) => {
  for (const text of ['', 's', '-1s', '5x', '5 5s', '0.0001s', '1d'])
    t.is(parseDurationMs(text), undefined, text);
});
