/** What goes wrong with the server for a while, and which errors an operation may end with because of it. */
import { FsError, StoreError, type FsErrorCode } from '../../../src/errors.js';
import type { MemoryObjectStore, StoreMethod } from '../../object-store/memory-object-store.js';
import { manyTurns } from '../../patience.js';
import type { FaultOperation } from './operations.js';

/** Requests that are refused where an object may not be read. A copy on the server reads it as well. */
const readingMethods: ReadonlySet<StoreMethod> = new Set<StoreMethod>(['head', 'get', 'copy']);
const writingMethods: ReadonlySet<StoreMethod> = new Set<StoreMethod>([
  'put',
  'createUpload',
  'uploadPart',
  'uploadPartCopy',
  'completeUpload',
]);

/** At most so many operations meet a server that throttles. */
const throttledOperations = 4;

/** A request that is not answered. */
interface Held {
  readonly answer: () => void;
  readonly fail: (error: StoreError) => void;
}

export class ServerFaults {
  /** Whether the mount repeats what fails for a reason that passes. */
  readonly #isRetried: boolean;
  #fault: FaultOperation | undefined;
  #deniedKey: string | undefined;
  /** The fault ends after so many operations. */
  #operationsLeft = 0;
  /** Requests that are yet to be answered as ever, or to be refused. */
  #requestsLeft = 0;
  /** Whether a request failed. Nothing may fail without that. */
  #hasFailed = false;
  #held: Held | undefined;
  #onHeld: () => void = () => undefined;

  constructor(store: MemoryObjectStore, isRetried: boolean) {
    this.#isRetried = isRetried;
    store.beforeRequest = (method, key) => this.#beforeRequest(method, key);
    store.afterRequest = () => this.#afterRequest();
  }

  get kind(): FaultOperation['kind'] | undefined {
    return this.#fault?.kind;
  }

  /** Whether an operation may fail. */
  get mayFail(): boolean {
    return this.#codes().length > 0;
  }

  /** Whether what an operation was told to have failed may have been done. */
  get mayHideSuccess(): boolean {
    const fault = this.#fault;
    return fault?.kind === 'silence' && fault.isCarriedOut && this.mayFail;
  }

  /** `deniedKey`: which the server refuses; undefined: all. */
  begin(fault: FaultOperation, deniedKey: string | undefined): void {
    if (this.#fault) return;
    this.#deniedKey = deniedKey;
    this.#fault = fault;
    this.#hasFailed = false;
    switch (fault.kind) {
      case 'fail':
        this.#requestsLeft = 1;
        this.#operationsLeft = 1;
        break;
      case 'throttle':
        this.#requestsLeft = fault.requests;
        this.#operationsLeft = throttledOperations;
        break;
      case 'deny':
        this.#operationsLeft = fault.operations;
        break;
      case 'silence':
        this.#requestsLeft = fault.after;
        this.#operationsLeft = 1;
    }
  }

  async end(): Promise<void> {
    const held = this.#held;
    this.#fault = undefined;
    this.#held = undefined;
    if (!held) return;
    held.answer();
    await manyTurns(); // of what nobody waits for any more
  }

  async operationEnded(): Promise<void> {
    this.#operationsLeft -= 1;
    if (this.#operationsLeft <= 0) await this.end();
  }

  /** Whether an operation may fail so. */
  allows(error: unknown): boolean {
    return this.#hasFailed && error instanceof FsError && this.#codes().includes(error.code);
  }

  /** Runs an operation; if the server becomes silent meanwhile, ends that as the fault says. `interrupt` interrupts the operation. */
  async run<T>(action: () => Promise<T>, interrupt: () => void): Promise<T> {
    if (this.#fault?.kind === 'deny') this.#hasFailed = false;
    if (this.#fault?.kind !== 'silence') return await action();
    const { outcome } = this.#fault;
    const held = new Promise<void>((resolve) => (this.#onHeld = resolve));
    const running = action();
    const ended = running.then(
      () => undefined,
      () => undefined,
    );
    await Promise.race([held, ended]);
    if (this.#held) await this.#endSilence(this.#held, outcome, ended, interrupt);
    return await running;
  }

  async #endSilence(
    held: Held,
    outcome: 'answer' | 'timeout' | 'interrupt',
    ended: Promise<void>,
    interrupt: () => void,
  ): Promise<void> {
    switch (outcome) {
      case 'answer':
        held.answer();
        return;
      case 'timeout':
        this.#hasFailed = true;
        held.fail(new StoreError('Timeout', 'no answer'));
        return;
      case 'interrupt': {
        this.#hasFailed = true;
        interrupt();
        const hasEnded = await Promise.race([ended.then(() => true), manyTurns().then(() => false)]);
        if (!hasEnded) throw new Error('an operation that was interrupted goes on waiting');
      }
    }
  }

  /** The errors that an operation may fail with. */
  #codes(): readonly FsErrorCode[] {
    const fault = this.#fault;
    switch (fault?.kind) {
      case undefined:
        return [];
      case 'deny':
        return ['EACCES', 'EIO'];
      case 'silence':
        if (fault.outcome === 'interrupt') return ['EINTR'];
        return fault.outcome === 'timeout' && !this.#isRetried ? ['ETIMEDOUT', 'EIO'] : [];
      case 'fail':
      case 'throttle':
        return this.#isRetried ? [] : ['EIO'];
    }
  }

  #beforeRequest(method: StoreMethod, key: string): void | Promise<void> {
    const fault = this.#fault;
    switch (fault?.kind) {
      case undefined:
        return;
      case 'fail':
        if (method === fault.method) this.#failOnce('ServerError', method, key);
        return;
      case 'throttle':
        this.#failOnce('Throttled', method, key);
        return;
      case 'deny': {
        const isDenied = readingMethods.has(method) || (fault.writes && writingMethods.has(method));
        if (!isDenied || (this.#deniedKey !== undefined && this.#deniedKey !== key)) return;
        this.#hasFailed = true;
        throw new StoreError('AccessDenied', `${method} ${key}: denied for a while`);
      }
      case 'silence':
        return this.#isCarriedOut(fault) ? undefined : this.#holdOnce();
    }
  }

  #afterRequest(): void | Promise<void> {
    const fault = this.#fault;
    return fault?.kind === 'silence' && this.#isCarriedOut(fault) ? this.#holdOnce() : undefined;
  }

  /** A caller that does not repeat what was not answered takes it for not done: it is not asked to know better. */
  #isCarriedOut(fault: Extract<FaultOperation, { readonly kind: 'silence' }>): boolean {
    return fault.isCarriedOut && (this.#isRetried || fault.outcome !== 'timeout');
  }

  #failOnce(code: 'ServerError' | 'Throttled', method: StoreMethod, key: string): void {
    if (this.#requestsLeft === 0) return;
    this.#requestsLeft -= 1;
    this.#hasFailed = true;
    throw new StoreError(code, `${method} ${key}: failed on demand`);
  }

  #holdOnce(): void | Promise<void> {
    if (this.#requestsLeft < 0) return;
    this.#requestsLeft -= 1;
    if (this.#requestsLeft >= 0) return;
    return new Promise<void>((answer, fail) => {
      this.#held = { answer, fail };
      this.#onHeld();
    });
  }
}
