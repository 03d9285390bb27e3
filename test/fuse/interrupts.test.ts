import test from 'ava';
import { hasStopSignal, Interrupts } from '../../src/fuse/interrupts.js';
import { Invocation } from '../../src/fuse/invocation.js';

const SIGINT = 1 << 1;
const SIGKILL = 1 << 8;
const SIGURG = 1 << 22;

function status(masks: { thread?: number; shared?: number; blocked?: number }): string {
  const line = (name: string, mask = 0) => `${name}:\t${mask.toString(16).padStart(16, '0')}\n`;
  return `Name:\tcat\n${line('SigPnd', masks.thread)}${line('ShdPnd', masks.shared)}${line('SigBlk', masks.blocked)}`;
}

function invocation(pid: number): Invocation {
  return new Invocation({ length: 40, opcode: 15, unique: 2, inode: 1, uid: 0, gid: 0, pid, bodyEnd: 40 });
}

test('signals that ask to end are recognised, of the thread and of the process', (t) => {
  t.true(hasStopSignal(status({ thread: SIGKILL })));
  t.true(hasStopSignal(status({ shared: SIGINT | SIGURG })));
});

test('other and blocked signals are not', (t) => {
  t.false(hasStopSignal(status({ thread: SIGURG })));
  t.false(hasStopSignal(status({ shared: SIGINT | SIGURG, blocked: SIGINT })));
});

test('a caller that is to stop has its call aborted', async (t) => {
  const call = invocation(5);
  const { signal } = call;
  await new Interrupts(
    () => true,
    (pid) => Promise.resolve(pid === 5 ? status({ shared: SIGINT }) : ''),
  ).watch(call);
  t.true(signal.aborted);
  t.is((signal.reason as { code: string }).code, 'EINTR');
});

test('a caller that cannot be seen is taken at the kernel’s word after some time', async (t) => {
  for (const pid of [0, 5]) {
    const call = invocation(pid);
    let looks = 0;
    const isInFlight = () => {
      looks += 1;
      return true;
    };
    await new Interrupts(isInFlight, () => Promise.reject(new Error('ENOENT')), 0).watch(call);
    t.true(call.signal.aborted, 'a signal asked for later is aborted too');
    t.is(looks, 20);
  }
});

test('a caller that cannot be seen has its call finished if that is soon', async (t) => {
  const call = invocation(0);
  let looks = 0;
  await new Interrupts(() => looks++ < 19, undefined, 0).watch(call);
  t.false(call.isAborted);
});

test('a call is watched as long as it lasts, and no longer', async (t) => {
  const call = invocation(5);
  let looks = 0;
  await new Interrupts(
    () => looks < 2,
    () => {
      looks++;
      return Promise.resolve(status({ shared: SIGURG }));
    },
  ).watch(call);
  t.is(looks, 2);
  t.false(call.isAborted);
});
