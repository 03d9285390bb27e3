import fs from 'node:fs';
import { constants } from 'node:os';
import test from 'ava';
import { loadLibc } from '../../src/fuse/libc.js';

test('a missing koffi is a MountError that says what to do', async (t) => {
  await t.throwsAsync(
    loadLibc(() => Promise.reject(new Error('Cannot find package'))),
    { name: 'MountError', code: 'DriverMissing', message: /koffi.*reinstall/ },
  );
});

test('a socket through which nothing came gives no descriptor', async (t) => {
  const libc = await loadLibc();
  const [ours, theirs] = libc.socketPair();
  t.teardown(() => fs.closeSync(ours));
  t.is(libc.receiveDescriptor(ours), undefined, 'nothing yet');
  fs.writeSync(theirs, 'x');
  t.is(libc.receiveDescriptor(ours), undefined, 'bytes alone');
  fs.closeSync(theirs);
  t.is(libc.receiveDescriptor(ours), undefined, 'the end');
});

test('reading gives bytes, or an errno without waiting', async (t) => {
  const libc = await loadLibc();
  const [ours, theirs] = libc.socketPair();
  t.teardown(() => {
    fs.closeSync(ours);
    fs.closeSync(theirs);
  });
  libc.setNonBlocking(ours);
  const buffer = Buffer.alloc(10);
  t.is(libc.read(ours, buffer), -constants.errno.EAGAIN);
  fs.writeSync(theirs, 'hello');
  t.is(libc.read(ours, buffer), 5);
  t.is(buffer.toString('latin1', 0, 5), 'hello');
});

test('a watch calls back until it is stopped, and promises settle after each call', async (t) => {
  const libc = await loadLibc();
  const [ours, theirs] = libc.socketPair();
  const watch = libc.watch(ours);
  t.teardown(() => {
    watch.close();
    fs.closeSync(ours);
    fs.closeSync(theirs);
  });
  let calls = 0;
  await new Promise<void>((resolve) => {
    watch.start(() => {
      if (++calls < 3) return;
      watch.stop();
      // Nothing else happens in this process, so this comes only if microtasks run.
      void Promise.resolve().then(resolve);
    });
    fs.writeSync(theirs, 'never read');
  });
  t.is(calls, 3);
  await new Promise<void>((resolve) => watch.start(resolve));
});
