import { readlink } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { PassThrough } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import { loadSetQuickAck } from '../../src/native/set-quick-ack.js';
import { QuickAckAgent, type QuickAckAgentOptions } from '../../src/http/quick-ack-agent.js';
import { makeCertificate, startFakeServer } from '../s3/fake-server.js';

async function startWithAgent(t: ExecutionContext, options: Omit<QuickAckAgentOptions, 'ca'>) {
  const certificate = await makeCertificate(t);
  const { endpoint } = await startFakeServer(t, (_, response) => response.end('reply'), certificate);
  const agent = new QuickAckAgent({ keepAlive: true, maxSockets: 1, ca: certificate.authority, ...options });
  t.teardown(() => agent.destroy());
  const request = () =>
    new Promise<void>((resolve, reject) => {
      https
        .get(endpoint, { agent }, (response) => {
          response.resume();
          response.once('end', resolve);
        })
        .once('error', reject);
    });
  return { request };
}

test("each request on a kept connection sets the option on its socket's descriptor", async (t) => {
  const targets: Promise<string>[] = [];
  const setQuickAck = (fd: number) => targets.push(readlink(`/proc/self/fd/${fd}`));
  const { request } = await startWithAgent(t, { setQuickAck, onUnavailable: () => t.fail() });
  for (let count = 0; count < 4; count += 1) await request();
  const links = await Promise.all(targets);
  t.is(links.length, 3);
  t.regex(links[0]!, /^socket:\[\d+\]$/);
  t.is(new Set(links).size, 1);
});

test('the real option is taken by the socket of a connection', async (t) => {
  const set = loadSetQuickAck();
  let calls = 0;
  const setQuickAck = (fd: number) => {
    set(fd);
    calls += 1;
  };
  const { request } = await startWithAgent(t, { setQuickAck, onUnavailable: () => t.fail() });
  await request();
  await request();
  t.is(calls, 1);
});

test('where Node shows no descriptor, that is said once', (t) => {
  let said = 0;
  const agent = new QuickAckAgent({ setQuickAck: () => t.fail(), onUnavailable: () => (said += 1) });
  const socket = Object.assign(new PassThrough(), { ref: () => undefined });
  for (let count = 0; count < 2; count += 1) {
    const request = http.request({ createConnection: () => new PassThrough() });
    agent.reuseSocket(socket, request);
    request.emit('finish');
    request.once('error', () => undefined).destroy();
  }
  t.is(said, 1);
});
