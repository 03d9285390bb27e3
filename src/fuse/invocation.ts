/** One request while it is being worked on: its caller, and whether it is still wanted. */
import { FsError } from '../errors.js';
import type { Call } from '../file-system.js';
import { opcodeName } from './protocol.js';
import type { RequestHeader } from './request-decoding.js';

export class Invocation implements Call {
  readonly unique: number;
  readonly opcode: number;
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  #isAborted = false;
  #afterAnswer: (() => void) | undefined;
  #whenAnswered: (() => void) | undefined;
  /** Made at the first use of `signal`: most requests need none. */
  #controller: AbortController | undefined;

  constructor(header: RequestHeader) {
    this.unique = header.unique;
    this.opcode = header.opcode;
    this.uid = header.uid;
    this.gid = header.gid;
    this.pid = header.pid;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isAborted) this.#controller.abort(this.#reason());
    }
    return this.#controller.signal;
  }

  /** One action at most. */
  afterAnswer(action: () => void): void {
    this.#afterAnswer = action;
  }

  /** Resolves at `answered`. */
  get done(): Promise<void> {
    const earlier = this.#whenAnswered;
    return new Promise((resolve) => {
      this.#whenAnswered = () => {
        earlier?.();
        resolve();
      };
    });
  }

  /** The kernel has the answer, or will never get it. */
  answered(): void {
    this.#whenAnswered?.();
    const action = this.#afterAnswer;
    this.#afterAnswer = undefined;
    action?.();
  }

  get isAborted(): boolean {
    return this.#isAborted;
  }

  abort(): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    this.#controller?.abort(this.#reason());
  }

  /** The reason of the abort, so that `signal.throwIfAborted()` throws what the file system must reject with. */
  #reason(): FsError {
    return new FsError('EINTR', `${opcodeName(this.opcode)}: interrupted`);
  }
}
