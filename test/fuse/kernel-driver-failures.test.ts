// Real mounts by the kernel driver: operations that hang, and the programs that wait for them.
import { readFile } from 'node:fs/promises';
import test from 'ava';
import { mount, output, run, start, startTalking, until, exitOf } from './mounted-memory.js';

for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
  test.serial(`${signal} ends a program whose read hangs, and aborts the call it waits for`, async (t) => {
    const { server, directory } = await mount(t);
    await output(t, 'truncate -s 100 "$1/hang"', directory);
    // Direct, as for buffered reads programs wait for pages, and the kernel tells nobody when they stop waiting.
    const reader = start(t, 'dd', [`if=${directory}/hang`, 'iflag=direct', 'status=none']);
    await until('the read hangs', async () => (await server.ask('statistics')).hangingCount > 0);
    const exit = exitOf(reader);
    reader.kill(signal);
    t.deepEqual(await exit, [null, signal]);
    t.is((await server.ask('statistics')).abortCount, 1);
  });
}

test.serial('Ctrl-C ends a program whose buffered read hangs', async (t) => {
  const { server, directory } = await mount(t);
  await output(t, 'truncate -s 100 "$1/hang"', directory);
  const reader = start(t, 'cat', [`${directory}/hang`]);
  await until('the read hangs', async () => (await server.ask('statistics')).hangingCount > 0);
  const exit = exitOf(reader);
  reader.kill('SIGINT');
  t.deepEqual(await exit, [null, 'SIGINT']);
});

test.serial(
  'a signal that is no wish to stop interrupts nothing, and Ctrl-C after it still does',
  async (t) => {
    const { server, directory } = await mount(t);
    await output(t, 'truncate -s 100 "$1/hang"', directory);
    const reader = start(t, 'python3', [
      '-c',
      `import mmap, os, signal, sys
signal.signal(signal.SIGURG, lambda *_: None)
os.readv(os.open(sys.argv[1] + '/hang', os.O_RDONLY | os.O_DIRECT), [mmap.mmap(-1, 4096)])`,
      directory,
    ]);
    await until('the read hangs', async () => (await server.ask('statistics')).hangingCount > 0);
    reader.kill('SIGURG');
    await until('the signal arrives', async () => {
      const status = await readFile(`/proc/${reader.pid}/status`, 'utf8');
      return /^ShdPnd:\s*0*400000$/m.test(status);
    });
    // By then the kernel's INTERRUPT, which was sent before these requests, has been received.
    t.is((await run('stat', ['-f', directory])).code, 0);
    t.is((await server.ask('statistics')).abortCount, 0);
    const exit = exitOf(reader);
    reader.kill('SIGINT');
    await exit;
    t.is((await server.ask('statistics')).abortCount, 1);
  },
);

test.serial(
  'a killed program does not wait for its files to be flushed, and they are released',
  async (t) => {
    const { server, directory } = await mount(t);
    // A shell would close, and so flush, a copy of its descriptor before that.
    const { child: writer, nextLine } = startTalking(t, 'python3', [
      '-uc',
      `import os, sys, time
os.write(os.open(sys.argv[1] + '/hang-flush', os.O_WRONLY | os.O_CREAT), b'x')
print('ready')
time.sleep(1000)`,
      directory,
    ]);
    t.is(await nextLine(), 'ready');
    const exit = exitOf(writer);
    writer.kill('SIGKILL');
    t.deepEqual(await exit, [null, 'SIGKILL']);
    await until('the file is released', async () => (await server.ask('statistics')).openHandleCount === 0);
    t.true((await server.ask('statistics')).abortCount > 0);
  },
);
