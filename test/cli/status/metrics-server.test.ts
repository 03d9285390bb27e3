import test from 'ava';
import type { MountStatus } from '../../../src/mount-statistics.js';
import { startMetricsServer } from '../../../src/cli/status/metrics-server.js';
import { silentLog } from '../../gateway/running-gateway.js';
import { hostileRequests, sendRaw } from './hostile-requests.js';
import { status } from './mount-status.js';

test('metrics are at /metrics once there is a mount, and nothing is anywhere else', async (t) => {
  let current: MountStatus | undefined = undefined;
  const server = await startMetricsServer({ host: '127.0.0.1', port: 0 }, () => current, silentLog);
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${server.port}/metrics`;
  t.is((await fetch(url)).status, 503);
  current = status;
  const reply = await fetch(url);
  t.is(reply.status, 200);
  t.regex(reply.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  t.regex(await reply.text(), /^osirisfs_pending_files\{.*\} 3$/m);
  t.is((await fetch(url, { method: 'POST' })).status, 405);
  t.is((await fetch(new URL('/', url))).status, 404);
});

test('a port that is taken is an error', async (t) => {
  const first = await startMetricsServer({ host: '127.0.0.1', port: 0 }, () => status, silentLog);
  t.teardown(() => first.close());
  await t.throwsAsync(
    startMetricsServer({ host: '127.0.0.1', port: first.port }, () => status, silentLog),
    {
      code: 'EADDRINUSE',
    },
  );
});

const statusOf = (reply: string): string => /^HTTP\/1\.1 (\d+)/.exec(reply)?.[1] ?? 'none';

test('whatever is sent, it hurts only who sends it', async (t) => {
  const server = await startMetricsServer({ host: '127.0.0.1', port: 0 }, () => status, silentLog);
  t.teardown(() => server.close());
  for (const [what, text] of Object.entries(hostileRequests)) {
    t.true(
      ['none', '400', '403', '404', '405', '417', '431', '200'].includes(
        statusOf(await sendRaw(server.port, text)),
      ),
      what,
    );
    const after = await fetch(`http://127.0.0.1:${server.port}/metrics`);
    t.is(after.status, 200, what);
    await after.text();
  }
  t.is(statusOf(await sendRaw(server.port, hostileRequests['two slashes']!)), '404');
  t.is(statusOf(await sendRaw(server.port, hostileRequests['the absolute form']!)), '404');
});

test('a query does not matter', async (t) => {
  const server = await startMetricsServer({ host: '127.0.0.1', port: 0 }, () => status, silentLog);
  t.teardown(() => server.close());
  const reply = await fetch(`http://127.0.0.1:${server.port}/metrics?a=b?c`);
  t.is(reply.status, 200);
  await reply.text();
});

test('a status that cannot be told fails that request alone', async (t) => {
  let isBroken = true;
  const server = await startMetricsServer(
    { host: '127.0.0.1', port: 0 },
    () => {
      if (isBroken) throw new Error('a bug');
      return status;
    },
    silentLog,
  );
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${server.port}/metrics`;
  t.is((await fetch(url)).status, 500);
  isBroken = false;
  t.is((await fetch(url)).status, 200);
});

test('a page that has its name resolve to this machine reads nothing', async (t) => {
  const ask = async (port: number, host: string): Promise<string> =>
    statusOf(await sendRaw(port, `GET /metrics HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`));
  const server = await startMetricsServer({ host: '127.0.0.1', port: 0 }, () => status, silentLog);
  t.teardown(() => server.close());
  const { port } = server;
  for (const host of [
    '127.0.0.1',
    `127.0.0.1:${port}`,
    `localhost:${port}`,
    'LOCALHOST',
    '[::1]:1',
    '10.1.2.3',
  ])
    t.is(await ask(port, host), '200', host);
  for (const host of [
    'evil.example',
    `evil.example:${port}`,
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '[evil]',
  ])
    t.is(await ask(port, host), '403', host);
  // Where the name is the one that was asked for, and where everybody is served.
  const named = await startMetricsServer({ host: 'localhost', port: 0 }, () => status, silentLog);
  t.teardown(() => named.close());
  t.is((await fetch(`http://localhost:${named.port}/metrics`)).status, 200);
  const open = await startMetricsServer({ host: '0.0.0.0', port: 0 }, () => status, silentLog);
  t.teardown(() => open.close());
  t.is(await ask(open.port, 'node1.cluster.example'), '200');
});
