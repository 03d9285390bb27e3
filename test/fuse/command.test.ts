import test from 'ava';
import { runCommand } from '../../src/fuse/command.js';

test('a program that takes too long is killed, and the error says what it was waiting for', async (t) => {
  const running = runCommand('sleep', ['1000'], { timeoutMs: 100 });
  const error = await t.throwsAsync(running, { message: /^sleep did not end within 0\.1 s \(state [A-Z]/ });
  t.is(error.message.split('\n').length, 1);
});

test('what a program says comes in one line, with its exit code', async (t) => {
  const { exitCode, words } = await runCommand('sh', ['-c', 'echo one >&2; echo two >&2; exit 3'], {
    timeoutMs: 60_000,
  });
  t.is(words, 'one; two');
  t.is(exitCode, 3);
});
