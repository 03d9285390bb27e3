/** The serving process's end of the control socket. `shutdown.ts` does the unmounting. */
import { chmod, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { MountError } from '../../fuse/driver.js';
import { guarded } from '../../guarded.js';
import type { Log } from '../../log.js';
import type { MountStatus, Pending } from '../../mount-statistics.js';
import { explainError } from '../explain-error.js';
import {
  formatLine,
  heartbeatMs,
  maxControlLineBytes,
  maxWaitingPaths,
  parseControlRequest,
  type ControlReply,
  type WaitingReply,
} from './control-protocol.js';
import { reasonsByPath } from './shutdown.js';

/** What the server asks of the serving process. */
export interface Controlled {
  /** Resolves when everything that the caller waits for is done. Rejects with a `MountError` of code `Busy`, among others. */
  unmount(options: { readonly lazy: boolean; readonly isDetached?: boolean }): Promise<void>;
  /** Gives up what is not in the bucket, then resolves; the process ends soon after. */
  giveUp(): Promise<void>;
  pending(): readonly Pending[];
  status(): MountStatus;
}

export interface ControlServer {
  /** Whether somebody is connected. */
  readonly isInUse: boolean;
  /** Lets replies that are on their way go out, then resolves. */
  close(): Promise<void>;
}

/** A client that does not take the last reply in this time does not get it. */
const closeTimeoutMs = 2_000;
/** How long a connection may take to send its request. */
const requestTimeoutMs = 10_000;

/** Listens on `socketPath`, which must be in a directory that only this user can enter. */
export async function startControlServer(
  socketPath: string,
  controlled: Controlled,
  log: Log,
): Promise<ControlServer> {
  await rm(socketPath, { force: true }); // of a dead process that had our pid
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', (error) => log.debug({ err: error }, 'control connection failed'));
    answer(socket, controlled, log);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, resolve);
  });
  server.on('error', (error) => log.error({ err: error }, 'control socket failed'));
  await chmod(socketPath, 0o600);
  return {
    get isInUse() {
      return sockets.size > 0;
    },
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, closeTimeoutMs);
      await closed; // which removes the socket's file
      clearTimeout(timer);
    },
  };
}

function answer(socket: Socket, controlled: Controlled, log: Log): void {
  const timer = setTimeout(() => socket.destroy(), requestTimeoutMs);
  socket.once('close', () => clearTimeout(timer));
  const fail = (error: unknown): void => {
    log.error({ err: error }, 'a request at the control socket failed');
    socket.destroy();
  };
  let received = '';
  const onData = guarded((text: string) => {
    received += text;
    const end = received.indexOf('\n');
    if (end < 0 && received.length <= maxControlLineBytes) return undefined;
    clearTimeout(timer);
    socket.off('data', onData).resume(); // everything after the request is ignored
    const request = end < 0 ? undefined : parseControlRequest(received.slice(0, end));
    if (request?.command === 'umount') {
      log.info(request, 'asked to unmount');
      const { lazy, isDetached } = request;
      const options = { lazy, ...(isDetached && { isDetached }) };
      return whileTelling(socket, () => controlled.unmount(options), controlled, log);
    }
    if (request?.command === 'give up') {
      log.info({}, 'asked to give up');
      socket.write(formatLine(waitingOf(controlled)));
      return whileTelling(socket, () => controlled.giveUp(), controlled, log);
    }
    if (request) socket.end(formatLine({ status: controlled.status() }));
    else socket.end(formatLine({ error: 'the request is not understood', busy: false }));
    return undefined;
  }, fail);
  socket.setEncoding('utf8').on('data', onData);
}

/** Does what the request asks for, and meanwhile reports what is not in the bucket. */
async function whileTelling(
  socket: Socket,
  action: () => Promise<void>,
  controlled: Controlled,
  log: Log,
): Promise<void> {
  const send = (reply: ControlReply): boolean => socket.writable && socket.write(formatLine(reply));
  const beat = (): void => {
    send(waitingOf(controlled));
  };
  const missed = (error: unknown): void => log.error({ err: error }, 'what is pending cannot be told');
  const heartbeat = setInterval(guarded(beat, missed), heartbeatMs);
  socket.once('close', () => clearInterval(heartbeat)); // the client has gone, and the work goes on
  try {
    await action();
    send({ done: true });
  } catch (error) {
    log.warn({ err: error }, 'unmounting failed');
    const code = error instanceof MountError ? error.code : undefined;
    send({
      error: explainError(error).line,
      busy: code === 'Busy',
      ...(code === 'NotMounted' && { isNotMounted: true }),
    });
  } finally {
    clearInterval(heartbeat);
    socket.end();
  }
}

function waitingOf(controlled: Controlled): WaitingReply {
  const pending = controlled.pending();
  const named = pending.slice(0, maxWaitingPaths);
  return {
    waiting: named.map(({ path }) => path),
    count: pending.length,
    reasons: reasonsByPath(named),
    refusedCount: pending.filter(({ reason }) => reason?.isRefused).length,
  };
}
