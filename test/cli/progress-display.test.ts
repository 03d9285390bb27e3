import test from 'ava';
import { formatBytes, ProgressDisplay, progressLine } from '../../src/cli/progress-display.js';
import { Progress } from '../../src/transfer/progress.js';

function halfDone(): Progress {
  const progress = new Progress();
  progress.find(1024);
  progress.find(1024);
  progress.objectsDone = 1;
  progress.bytesDone = 1024;
  return progress;
}

test('a line says how much of how much is done, and that the listing goes on', (t) => {
  const progress = halfDone();
  t.is(progressLine(progress, 2, false), '50 % of 2.0 KiB so far, 1 of 2 objects, 512 B/s');
  progress.isListed = true;
  t.is(
    progressLine(progress, 1, true),
    '[############............] 50 % of 2.0 KiB, 1 of 2 objects, 1.0 KiB/s',
  );
});

test('a bar stays in its line, and what is said stands above it', (t) => {
  let written = '';
  const screen = { isTerminal: true, write: (text: string) => void (written += text) };
  const display = new ProgressDisplay(halfDone(), screen, () => 0);
  display.show();
  display.say('trouble');
  display.show();
  display.stop();
  const [first, second, ...rest] = written.split('\n');
  t.regex(first!, /^\r\[#{12}\.{12}\] 50 %.*\r\x1b\[Ktrouble$/);
  t.regex(second!, /^\r\[#{12}\.{12}\] 50 %.*\r\x1b\[K$/);
  t.is(rest.length, 0);
});

test('without a terminal there are plain lines', (t) => {
  let written = '';
  const screen = { isTerminal: false, write: (text: string) => void (written += text) };
  const display = new ProgressDisplay(halfDone(), screen, () => 0);
  display.show();
  display.stop();
  t.is(written, '50 % of 2.0 KiB so far, 1 of 2 objects\n');
});

test('bytes are shown in the unit that fits', (t) => {
  t.is(formatBytes(0), '0 B');
  t.is(formatBytes(1023), '1023 B');
  t.is(formatBytes(1536), '1.5 KiB');
  t.is(formatBytes(5 * 2 ** 40), '5.0 TiB');
});
