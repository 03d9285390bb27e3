import test from 'ava';
import { describePaths, Shutdown, type ShutdownOptions } from '../../../src/cli/serving/shutdown.js';
import { MountError } from '../../../src/fuse/driver.js';
import type { Log } from '../../../src/log.js';
import type { RunningMount } from '../../../src/mount/mount.js';
import type { Pending, PendingReason } from '../../../src/mount-statistics.js';
import type { Scope } from '../../../src/vfs/drain.js';
import { makeDeferred } from '../../../src/concurrency/deferred.js';
import { waitUntil } from '../../mount/child.js';
import { patienceMs } from '../../patience.js';

const ignore = (): void => undefined;
const log: Log = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };

/** A mount that is in use until `release` is called, and ends `stopMs` after it is unmounted. */
class FakeMount implements RunningMount {
  readonly mountpoint = '/mnt';
  readonly source = 'osirisfs:bucket';
  readonly calls: string[] = [];
  readonly ended: Promise<void>;
  isBusy = false;
  /** Of what is pending. */
  paths: string[] = [];
  /** After being detached lazily it lives on. */
  lingers = false;
  end: () => void = ignore;
  fail: (error: Error) => void = ignore;

  constructor() {
    this.ended = new Promise((resolve, reject) => {
      this.end = resolve;
      this.fail = reject;
    });
    this.ended.catch(ignore);
  }

  unmount({ lazy }: { readonly lazy: boolean }): Promise<void> {
    this.calls.push(lazy ? 'detach' : 'unmount');
    if (this.isBusy && !lazy) return Promise.reject(new MountError('Busy', '/mnt is in use'));
    if (this.paths.length === 0 && !this.lingers) this.end();
    return Promise.resolve();
  }

  /** What is called while the mount is in use; a test may hold it. */
  settle = (): Promise<void> => Promise.resolve();
  storeAll = (): Promise<void> => Promise.resolve();

  async settled(): Promise<void> {
    this.calls.push('settle');
    await this.settle();
  }

  async synchronizeAll(scope: Scope): Promise<void> {
    this.calls.push(`store ${scope}`);
    if (scope === 'everything') await this.storeAll();
  }

  reasons = new Map<string, PendingReason>();

  pending(): readonly Pending[] {
    return this.paths.map((path) => ({ path, reason: this.reasons.get(path) }));
  }

  abandon(): Promise<void> {
    this.calls.push('abandon');
    return Promise.resolve();
  }
}

function make(mount: FakeMount, options: Partial<ShutdownOptions> = {}) {
  const said: string[] = [];
  const exits: number[] = [];
  const shutdown = new Shutdown(mount, {
    log,
    say: (line) => said.push(line),
    findHolders: () => Promise.resolve([{ pid: 7, command: 'bash', use: 'working directory' }]),
    exit: (code) => exits.push(code),
    retryMs: 5,
    patienceMs: 20,
    lingerMs: 20,
    ...options,
  });
  return { shutdown, said, exits };
}

test('a request resolves only when everything is in the bucket', async (t) => {
  const mount = new FakeMount();
  mount.paths = ['a'];
  const { shutdown } = make(mount);
  let isDone = false;
  const request = shutdown.unmount({ lazy: false }).then(() => (isDone = true));
  await new Promise((resolve) => setImmediate(resolve));
  t.false(isDone);
  mount.end();
  await request;
  t.deepEqual(mount.calls, ['unmount']);
});

test('a request is refused while the directory is in use, and reports what could not be stored', async (t) => {
  const mount = new FakeMount();
  mount.isBusy = true;
  const { shutdown } = make(mount);
  await t.throwsAsync(shutdown.unmount({ lazy: false }), { code: 'Busy' });
  mount.isBusy = false;
  mount.paths = ['a'];
  mount.fail(new Error('a could not be stored'));
  await t.throwsAsync(shutdown.unmount({ lazy: false }), { message: 'a could not be stored' });
});

test('a lazy request does not wait for the end', async (t) => {
  const mount = new FakeMount();
  mount.isBusy = true;
  mount.lingers = true;
  const { shutdown } = make(mount);
  await shutdown.unmount({ lazy: true });
  t.deepEqual(mount.calls, ['detach']);
});

test('either signal unmounts what is not in use, and leaves exiting to the end of the mount', async (t) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const mount = new FakeMount();
    const { shutdown, said, exits } = make(mount);
    await shutdown.handleSignal(signal);
    await mount.ended;
    t.deepEqual(mount.calls, ['unmount']);
    t.deepEqual(said, []);
    t.deepEqual(exits, []);
  }
});

test('SIGINT says who uses the directory, and unmounts as soon as they are done', async (t) => {
  const mount = new FakeMount();
  mount.isBusy = true;
  const { shutdown, said, exits } = make(mount);
  const handled = shutdown.handleSignal('SIGINT');
  await waitUntil('many tries, longer than the patience', patienceMs, () => mount.calls.length > 8);
  t.deepEqual(said, [
    '/mnt is in use by bash (pid 7: working directory); a second Ctrl-C detaches it all the same',
  ]);
  mount.isBusy = false;
  await handled;
  await mount.ended;
  t.false(mount.calls.includes('detach'));
  t.deepEqual(exits, []);
});

test('SIGTERM stores everything and detaches when its patience is over', async (t) => {
  const mount = new FakeMount();
  mount.isBusy = true;
  const { shutdown, exits } = make(mount);
  await shutdown.handleSignal('SIGTERM');
  await mount.ended;
  t.deepEqual(mount.calls.slice(-2), ['store what is closed', 'detach']);
  t.true(mount.calls.filter((call) => call === 'unmount').length > 1);
  t.deepEqual(exits, []);
});

test('SIGTERM ends a process whose detached mount is still in use, with what is open stored', async (t) => {
  const mount = new FakeMount();
  mount.isBusy = true;
  mount.lingers = true;
  const { shutdown, said, exits } = make(mount);
  await shutdown.handleSignal('SIGTERM');
  t.deepEqual(mount.calls.slice(mount.calls.indexOf('detach')), [
    'detach',
    'settle',
    'store everything',
    'settle',
    'abandon',
  ]);
  t.is(said.length, 1); // who holds it
  t.deepEqual(exits, [0]);
});

test('SIGTERM waits as long as a program waits in close, and for what it has not closed', async (t) => {
  const mount = new FakeMount();
  mount.isBusy = true;
  mount.lingers = true;
  mount.paths = ['open', 'closing'];
  const closing = makeDeferred<undefined>();
  const storing = makeDeferred<undefined>();
  mount.settle = () => closing.promise;
  mount.storeAll = () => storing.promise;
  const { shutdown, said, exits } = make(mount);
  const handled = shutdown.handleSignal('SIGTERM');
  await waitUntil('the wait for the close', patienceMs, () => mount.calls.includes('settle'));
  t.is(said.at(-1), 'waiting until 2 files are in the bucket: open, closing; a second signal gives them up');
  t.false(mount.calls.includes('store everything'));
  closing.resolve(undefined);
  await waitUntil('the wait for what is open', patienceMs, () => mount.calls.includes('store everything'));
  t.deepEqual(exits, []);
  mount.paths = [];
  storing.resolve(undefined);
  await handled;
  t.deepEqual(exits, [0]);
});

test('what a program writes until the end of the wait is named, given up, and exits with 1', async (t) => {
  const mount = new FakeMount();
  mount.isBusy = true;
  mount.lingers = true;
  mount.storeAll = () => {
    mount.paths = ['log'];
    return Promise.resolve();
  };
  const { shutdown, said, exits } = make(mount);
  await shutdown.handleSignal('SIGTERM');
  t.is(said.at(-1), 'given up, not in the bucket as they were written: log');
  t.is(mount.calls.at(-1), 'abandon');
  t.deepEqual(exits, [1]);
});

test('a second signal ends the wait for the bucket, which is no failure to unmount', async (t) => {
  const mount = new FakeMount();
  mount.isBusy = true;
  mount.lingers = true;
  mount.paths = ['f'];
  const storing = makeDeferred<undefined>();
  mount.storeAll = () => storing.promise;
  const { shutdown, said, exits } = make(mount);
  const first = shutdown.handleSignal('SIGTERM');
  await waitUntil('the wait', patienceMs, () => mount.calls.includes('store everything'));
  await shutdown.handleSignal('SIGTERM');
  storing.reject(new Error('f could not be stored'));
  await first;
  t.is(said.at(-1), 'given up, not in the bucket as they were written: f');
  t.deepEqual(exits, [1]);
});

test('the second signal gives up what is not stored, names it and exits with 1', async (t) => {
  const mount = new FakeMount();
  mount.paths = ['a', 'b'];
  const { shutdown, said, exits } = make(mount);
  await shutdown.handleSignal('SIGINT');
  t.deepEqual(said, ['waiting until 2 files are in the bucket: a, b; a second signal gives them up']);
  await shutdown.handleSignal('SIGINT');
  t.is(said.at(-1), 'given up, not in the bucket as they were written: a, b');
  t.deepEqual(mount.calls, ['unmount', 'abandon', 'detach']);
  t.deepEqual(exits, [1]);
});

test('uploads that cannot be aborted hold the end up for a while only', async (t) => {
  const mount = new FakeMount();
  mount.paths = ['a'];
  mount.abandon = () => new Promise(ignore);
  const { shutdown, said, exits } = make(mount, { abortMs: 5 });
  await shutdown.handleSignal('SIGINT');
  t.is(said.at(-1), 'waiting until 1 file is in the bucket: a; a second signal gives it up');
  await shutdown.handleSignal('SIGINT');
  t.deepEqual(exits, [1]);
});

test('the second signal detaches what is in use and exits with 0 if nothing is lost', async (t) => {
  const mount = new FakeMount();
  mount.isBusy = true;
  mount.lingers = true;
  const { shutdown, exits } = make(mount);
  const first = shutdown.handleSignal('SIGINT');
  await waitUntil('a first try', patienceMs, () => mount.calls.length > 0);
  await shutdown.handleSignal('SIGTERM');
  t.deepEqual(exits, [0]);
  mount.isBusy = false;
  await first;
});

test('a mount that somebody else has unmounted meanwhile is no failure', async (t) => {
  const mount = new FakeMount();
  mount.unmount = () => Promise.reject(new MountError('NotMounted', 'nothing is mounted'));
  const { shutdown, said } = make(mount);
  await shutdown.handleSignal('SIGTERM');
  t.deepEqual(said, []);
});

test('a failure to unmount is told, not thrown', async (t) => {
  const mount = new FakeMount();
  mount.unmount = () => Promise.reject(new MountError('MountRefused', 'no'));
  const { shutdown, said } = make(mount);
  await shutdown.handleSignal('SIGINT');
  t.deepEqual(said, ['cannot unmount /mnt: no; a second signal ends without it']);
});

test('a request to give up is the second signal, and is answered before the process ends', async (t) => {
  const mount = new FakeMount();
  mount.paths = ['a'];
  mount.lingers = true;
  mount.reasons.set('a', { text: 'access denied', isRefused: true });
  const { shutdown, said, exits } = make(mount);
  await shutdown.handleSignal('SIGTERM');
  t.is(said.at(-1), 'waiting until 1 file is in the bucket: a (access denied); a second signal gives it up');
  await shutdown.giveUp();
  t.deepEqual(exits, []);
  t.is(said.at(-1), 'given up, not in the bucket as they were written: a (access denied)');
  await waitUntil('the end', patienceMs, () => exits.length > 0);
  t.deepEqual(exits, [1]);
});

test('the end of a mount that was detached before is waited for without unmounting what is there now', async (t) => {
  const mount = new FakeMount();
  const { shutdown } = make(mount);
  const asked = shutdown.unmount({ lazy: false, isDetached: true });
  mount.end();
  await asked;
  t.deepEqual(mount.calls, []);
});

test('of many paths the first few are named', (t) => {
  t.is(describePaths(['a', 'b']), 'a, b');
  t.is(describePaths(['a', 'b', 'c', 'd', 'e', 'f', 'g']), 'a, b, c, d, e and 2 more');
  t.is(describePaths(['a'], 30), 'a and 29 more');
});
