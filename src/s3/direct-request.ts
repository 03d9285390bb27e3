/**
 * One HTTP request over the agents of the SDK's handler, with the same patience: what `direct-client.ts` sends. Rejects with
 * what Node rejects with; an error of name `TimeoutError` if nothing moved for too long.
 */
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { Readable } from 'node:stream';
import type { PatientHttpHandlerOptions } from './patient-http-handler.js';

export interface DirectRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT';
  readonly endpoint: URL;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | Readable | undefined;
}

/**
 * Resolves with the reply as soon as its head is there; its body must be read or destroyed. An abort ends the request, and the
 * reading of the body too.
 */
export async function sendDirectRequest(
  { method, endpoint, path, headers, body }: DirectRequest,
  { httpAgent, httpsAgent, connectTimeoutMs, idleTimeoutMs }: PatientHttpHandlerOptions,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  signal?.throwIfAborted();
  const isSecure = endpoint.protocol === 'https:';
  const request = (isSecure ? https : http).request({
    agent: isSecure ? httpsAgent : httpAgent,
    host: endpoint.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: endpoint.port,
    method,
    path,
    headers,
    timeout: idleTimeoutMs,
  });
  return await new Promise<IncomingMessage>((resolve, reject) => {
    let reply: IncomingMessage | undefined;
    const end = (error: Error) => {
      if (reply) reply.destroy(error);
      request.destroy(error);
    };
    const abort = () => end(abortError());
    const connecting = setTimeout(() => end(timeoutError('no connection')), connectTimeoutMs);
    request.once('socket', (socket) => {
      if (socket.connecting)
        socket.once(isSecure ? 'secureConnect' : 'connect', () => clearTimeout(connecting));
      else clearTimeout(connecting);
    });
    request.once('timeout', () => end(timeoutError('nothing moved')));
    request.once('response', (message) => {
      reply = message;
      // Whoever reads the body has listeners of his own; nobody may be listening any more when it is destroyed.
      message.on('error', () => undefined);
      // A server may refuse what it has not read to its end.
      message.once('end', () => {
        if (!request.writableFinished) request.destroy();
      });
      resolve(message);
    });
    request.on('error', reject);
    request.once('close', () => {
      clearTimeout(connecting);
      signal?.removeEventListener('abort', abort);
      if (body instanceof Readable) body.destroy();
      reject(new Error('the connection closed before a reply')); // settled already, unless there was neither reply nor error
    });
    signal?.addEventListener('abort', abort, { once: true });
    if (body instanceof Readable) {
      body.once('error', end);
      body.pipe(request);
    } else {
      request.end(body);
    }
  });
}

function timeoutError(what: string): Error {
  return Object.assign(new Error(what), { name: 'TimeoutError' });
}

function abortError(): Error {
  return Object.assign(new Error('aborted'), { name: 'AbortError' });
}
