import test from 'ava';
import type { MountStatus } from '../../src/mount-statistics.js';
import { startMetricsServer } from '../../src/status/metrics-server.js';
import { silentLog } from '../gateway/running-gateway.js';
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
