// Real mounts by the kernel driver: what every driver must do, and how its notifications end.
import test from 'ava';
import { testLifecycle } from './driver-lifecycle-suite.js';
import { exitOf, mount, output, rejectAtLimit, start, until } from './mounted-memory.js';

testLifecycle('kernel');

test.serial(
  'process.exit ends a process whose notification waits for a read without an answer',
  async (t) => {
    const { server, directory } = await mount(t);
    await output(t, 'truncate -s 100 "$1/hang"', directory);
    const cat = start(t, 'cat', [`${directory}/hang`]);
    const exit = exitOf(cat);
    await until('the read hangs', async () => (await server.ask('statistics')).hangingCount > 0);
    server.ask('dropInodeAndExit', 'hang').catch(() => undefined);
    t.is(await Promise.race([server.exited, rejectAtLimit()]), 0);
    await exit;
  },
);
