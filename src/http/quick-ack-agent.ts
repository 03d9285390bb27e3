/**
 * An HTTPS agent whose sockets acknowledge replies at once. Ceph's front end leaves Nagle's algorithm on, so the body of
 * every reply waits for the acknowledgement of its head, which the kernel delays by 40 ms.
 */
import type { ClientRequest } from 'node:http';
import type https from 'node:https';
import type { Duplex } from 'node:stream';
import type { ReusedConnections } from './reused-connections.js';
import { WatchedHttpsAgent } from './watched-agents.js';

export interface QuickAckAgentOptions extends https.AgentOptions {
  /** Sets TCP_QUICKACK on a descriptor; see `src/native/set-quick-ack.ts`. */
  readonly setQuickAck: (fd: number) => void;
  /** Called once, if the descriptors of this Node's TLS sockets cannot be found. */
  readonly onUnavailable: () => void;
  /** Default: none, and reused connections are not watched. */
  readonly reused?: ReusedConnections;
}

export class QuickAckAgent extends WatchedHttpsAgent {
  readonly #setQuickAck: (fd: number) => void;
  readonly #onUnavailable: () => void;
  #isAvailable = true;

  constructor({ setQuickAck, onUnavailable, reused, ...options }: QuickAckAgentOptions) {
    super(options, reused);
    this.#setQuickAck = setQuickAck;
    this.#onUnavailable = onUnavailable;
  }

  /**
   * Called for each request but a connection's first, for which the kernel acknowledges at once anyway. The kernel drops
   * the mode again, so it has to be set each time, after the request was written and before the reply comes.
   */
  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    super.reuseSocket(socket, request);
    request.once('finish', () => this.acknowledgeAtOnce(socket));
  }

  /** Works also for sockets of others. */
  acknowledgeAtOnce(socket: Duplex): void {
    if (!this.#isAvailable || socket.destroyed) return;
    const fd = descriptorOf(socket);
    if (fd === undefined) {
      this.#isAvailable = false;
      this.#onUnavailable();
    } else if (fd >= 0) {
      this.#setQuickAck(fd);
    }
  }
}

/** Node does not document these fields: TLSSocket's handle wraps the TCP handle, which has the descriptor. */
function descriptorOf(socket: object): number | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return undefined;
  const parent: unknown = Reflect.get(handle, '_parent');
  const tcp: unknown = typeof parent === 'object' && parent !== null ? parent : handle;
  const fd: unknown = typeof tcp === 'object' && tcp !== null ? Reflect.get(tcp, 'fd') : undefined;
  return typeof fd === 'number' ? fd : undefined;
}
