/**
 * Remembers the server's last answer about each directory's marker, also that there is none: most directories that other programs
 * made have none, and a listing does not tell. Callers report their own changes.
 */
import { BoundedMap } from '../bounded-map.js';
import type { ObjectInfo } from '../object-store.js';
import type { Clock } from '../clock.js';

export interface KnownMarker {
  /** Undefined: there is none. */
  readonly marker: ObjectInfo | undefined;
  readonly askedAtMs: number;
}

/** Of about 800 bytes each, with the attributes; those of an absent marker take 150. */
const maxKnown = 20_000;

export class KnownMarkers {
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #known = new BoundedMap<string, KnownMarker>(maxKnown);
  #changes = 0;

  constructor(clock: Clock, ttlMs: number) {
    this.#clock = clock;
    this.#ttlMs = ttlMs;
  }

  /** `key` ends in '/'. Undefined if nobody has asked lately. */
  get(key: string): KnownMarker | undefined {
    const known = this.#known.get(key);
    return known && this.#clock.monotonicMs() - known.askedAtMs < this.#ttlMs ? known : undefined;
  }

  /** Runs a request for the marker, and remembers its answer if none of them was changed here meanwhile. */
  async learn(key: string, ask: () => Promise<ObjectInfo | undefined>): Promise<KnownMarker> {
    const changes = this.#changes;
    const askedAtMs = this.#clock.monotonicMs();
    const known = { marker: await ask(), askedAtMs };
    if (changes === this.#changes) this.#known.set(key, known);
    return known;
  }

  /** This mount has stored or removed it. */
  forget(key: string): void {
    this.#changes += 1;
    this.#known.delete(key);
  }

  /** This mount has moved some. */
  forgetAll(): void {
    this.#changes += 1;
    this.#known.clear();
  }
}
