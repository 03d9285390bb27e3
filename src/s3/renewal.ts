/**
 * Renews what a long-lived connection was made with: credentials and trusted authorities. It looks again when the server's
 * answers suggest it, but not often, since credentials may come from a program.
 */
import { SingleFlight } from '../concurrency/single-flight.js';
import { StoreError } from '../errors.js';
import type { Log } from '../log.js';
import { serverCodeOf, statusOf } from './error-codes.js';

interface RenewalOptions {
  /** Look at the source again and resolve with whether something has changed. Absent if it cannot change. */
  readonly renewCredentials?: () => Promise<boolean>;
  readonly reloadAuthorities?: () => Promise<boolean>;
  /** In ms, from any beginning. */
  readonly now?: () => number;
  readonly log: Log;
}

type Subject = 'credentials' | 'authorities';

/** These mean that the credentials are wrong, whatever the request was. */
const credentialCodes: ReadonlySet<string | undefined> = new Set([
  'ExpiredToken',
  'InvalidAccessKeyId',
  'InvalidToken',
  'SignatureDoesNotMatch',
  'TokenRefreshRequired',
]);

const lookAgainMs = 5_000;
/** After replies to HEAD, which give no reason. Mostly the request is not allowed. */
const lookAgainUnsureMs = 60_000;

export class Renewal {
  readonly #options: RenewalOptions;
  readonly #now: () => number;
  readonly #looking = { credentials: new SingleFlight<void>(), authorities: new SingleFlight<void>() };
  readonly #lookedAtMs = new Map<Subject, number>();
  /** Grows with each change. */
  #generation = 0;

  constructor(options: RenewalOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Sends a request, and sends it again if it was refused and something has changed since. */
  async run<T>(send: () => Promise<T>): Promise<T> {
    const generation = this.#generation;
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof StoreError) || !(await this.#mayHelp(error, generation))) throw error;
      return await send();
    }
  }

  /**
   * Whether a request that began at `generation` and failed with this error may succeed now. Looks at the sources first if it
   * is time.
   */
  async #mayHelp(error: StoreError, generation: number): Promise<boolean> {
    const subject = subjectOf(error);
    if (subject === undefined) return false;
    if (this.#generation === generation) await this.#look(subject.name, subject.lookAgainMs);
    return this.#generation !== generation;
  }

  async #look(subject: Subject, againMs: number): Promise<void> {
    const looking = this.#looking[subject];
    if (!looking.isUnderWay) {
      const nowMs = this.#now();
      if (nowMs - (this.#lookedAtMs.get(subject) ?? -Infinity) < againMs) return;
      this.#lookedAtMs.set(subject, nowMs);
    }
    await looking.run(() => this.#lookAt(subject));
  }

  async #lookAt(subject: Subject): Promise<void> {
    const { renewCredentials, reloadAuthorities, log } = this.#options;
    const look = subject === 'credentials' ? renewCredentials : reloadAuthorities;
    try {
      if (look === undefined || !(await look())) return;
      this.#generation += 1;
      log.info({ subject }, 'they have changed, and are used from now on');
    } catch (error) {
      log.warn({ subject, err: error }, 'they could not be looked at again');
    }
  }
}

function subjectOf(error: StoreError): { readonly name: Subject; readonly lookAgainMs: number } | undefined {
  if (error.code === 'CertificateRejected') return { name: 'authorities', lookAgainMs };
  const code = serverCodeOf(error);
  if (credentialCodes.has(code)) return { name: 'credentials', lookAgainMs };
  const status = statusOf(error);
  const isUnexplained = code === undefined && (status === 401 || status === 403);
  return isUnexplained ? { name: 'credentials', lookAgainMs: lookAgainUnsureMs } : undefined;
}
