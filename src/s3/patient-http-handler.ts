/**
 * The SDK's HTTP handler with two time limits for silence: a short one for most requests, a long one where the server works
 * (deletion of a thousand keys). The agents give a reused connection less time.
 */
import type { Agent as HttpAgent } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { type ReusedConnections, SilentConnectionError } from '../http/reused-connections.js';
import { closeIdleSockets } from '../http/watched-agents.js';
import { type AllowedServers, requireAllowedServer } from './allowed-server.js';

type HandleParameters = Parameters<NodeHttpHandler['handle']>;
type SdkRequest = HandleParameters[0];

export interface PatientHttpHandlerOptions {
  /** Requests to other servers are refused. */
  readonly allowedServers: AllowedServers;
  readonly httpAgent: HttpAgent;
  readonly httpsAgent: HttpsAgent;
  /** To open a TCP connection. */
  readonly connectTimeoutMs: number;
  /** Without a byte in either direction. */
  readonly idleTimeoutMs: number;
  /** The same, while the server copies, puts together or deletes many. */
  readonly workTimeoutMs: number;
  /** The agents have the same one. */
  readonly reused: ReusedConnections;
}

export class PatientHttpHandler {
  readonly metadata = { handlerProtocol: 'http/1.1' };
  readonly #options: PatientHttpHandlerOptions;
  readonly #ordinary: NodeHttpHandler;
  readonly #patient: NodeHttpHandler;

  constructor(options: PatientHttpHandlerOptions) {
    this.#options = options;
    const { httpAgent, httpsAgent, connectTimeoutMs, idleTimeoutMs, workTimeoutMs } = options;
    const shared = { httpAgent, httpsAgent, connectionTimeout: connectTimeoutMs, logger: silent };
    this.#ordinary = new NodeHttpHandler({ ...shared, socketTimeout: idleTimeoutMs });
    this.#patient = new NodeHttpHandler({ ...shared, socketTimeout: workTimeoutMs });
    options.reused.onSilence(() => this.#closeIdle());
  }

  /** Rejects with a StoreError of code `ServerRefused`, before there is a connection, if the request may not go where it would. */
  async handle(...[request, options]: HandleParameters): ReturnType<NodeHttpHandler['handle']> {
    const { allowedServers, reused } = this.#options;
    requireAllowedServer(request, allowedServers);
    const name = `${request.method} ${request.path} ${JSON.stringify(request.query)}`;
    if (reused.takeDoubt(name)) this.#closeIdle(); // so that the request gets a new connection
    const handler = makesServerWork(request) ? this.#patient : this.#ordinary;
    try {
      return await handler.handle(request, options);
    } catch (error) {
      if (error instanceof SilentConnectionError) reused.noteSilent(name);
      throw error;
    }
  }

  #closeIdle(): void {
    closeIdleSockets(this.#options.httpAgent);
    closeIdleSockets(this.#options.httpsAgent);
  }

  destroy(): void {
    this.#ordinary.destroy();
    this.#patient.destroy();
  }

  // The SDK calls these two on a handler. What they would change is fixed here.
  updateHttpClientConfig(): void {
    return;
  }

  httpHandlerConfigs(): object {
    return {};
  }
}

/** Among the requests of the SDK, only the deletion of many objects. */
function makesServerWork({ method, query }: SdkRequest): boolean {
  return method === 'POST' && query['delete'] !== undefined;
}

/** The handler would write to the console. */
const silent = {
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
