/**
 * Tells whether names that a complete listing lacks are still absent. A listing is believed for a while, but the absence of a
 * name only for a moment: programs wait for those on other machines by asking for what they make. One request answers for all
 * names that are alike. So a burst of look-ups of missing names (`configure`, `import` in Python, `cp -r` of new files) waits
 * for few requests.
 */
import { BoundedMap } from '../bounded-map.js';
import type { Clock } from '../clock.js';
import type { ListPage, ObjectStore } from '../object-store.js';
import type { DirectoryListing } from './directory-listing.js';
import { abortable } from '../concurrency/abortable.js';

interface AbsentNamesOptions {
  readonly store: Pick<ObjectStore, 'list'>;
  /** How long it is believed that a name is not there. */
  readonly ttlMs: number;
  readonly clock: Clock;
}

/** What the bucket had of the names in a directory that begin alike. */
interface Answer {
  readonly names: ReadonlySet<string>;
  /** The answer covers the names up to this one, in the order of their bytes. Undefined: all names. */
  readonly last: string | undefined;
}

interface Question {
  readonly askedAtMs: number;
  readonly answer: Promise<Answer>;
}

/** Each has up to 1,000 names, so 10 MiB together at most. */
const maxQuestions = 100;
/** A page shows all of so many entries, with a margin for new ones. */
const maxEntriesOfPage = 900;
/** The store has limits of its own; this one only makes sure that a question cannot be waited for without end. */
const questionTimeoutMs = 300_000;

export class AbsentNames {
  readonly #options: AbsentNamesOptions;
  /** By the beginning of the keys that were asked for. */
  readonly #questions = new BoundedMap<string, Question>(maxQuestions);

  constructor(options: AbsentNamesOptions) {
    this.#options = options;
  }

  /**
   * Whether a name is still absent that `listing` lacks. The listing is complete, and of the keys below `prefix`. False: the caller
   * asks for the name itself. Rejects with a StoreError.
   */
  async isAbsent(
    prefix: string,
    name: string,
    listing: DirectoryListing,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (
      this.#isRecent(listing.startedAtMs) ||
      this.#isRecent(this.#questions.get(alone(prefix, name))?.askedAtMs)
    ) {
      return true;
    }
    const start = prefix + (listing.size <= maxEntriesOfPage ? '' : stemOf(name));
    const known = this.#questions.get(start);
    const question = known && this.#isRecent(known.askedAtMs) ? known : this.#ask(start, prefix);
    const answer = await abortable(question.answer, signal);
    return !answer.names.has(name) && isAnswered(answer, name);
  }

  /** The name was asked for by itself at that time, and was not there. */
  note(prefix: string, name: string, askedAtMs: number): void {
    const answer = Promise.resolve({ names: new Set<string>(), last: undefined });
    this.#questions.set(alone(prefix, name), { askedAtMs, answer });
  }

  #ask(start: string, prefix: string): Question {
    const { store, clock } = this.#options;
    const request = { prefix: start, delimiter: '/' } as const;
    const question = {
      askedAtMs: clock.monotonicMs(),
      answer: store
        .list(request, AbortSignal.timeout(questionTimeoutMs))
        .then((page) => answerOf(page, prefix)),
    };
    this.#questions.set(start, question);
    question.answer.catch(() => {
      if (this.#questions.get(start) === question) this.#questions.delete(start); // who waits has the error
    });
    return question;
  }

  #isRecent(timeMs: number | undefined): boolean {
    return timeMs !== undefined && this.#options.clock.monotonicMs() - timeMs < this.#options.ttlMs;
  }
}

/** No key has a NUL at its end that could be shown. */
function alone(prefix: string, name: string): string {
  return `${prefix}${name}\0`;
}

/** What `name` has in common with others that are made one after the other: `part-0` of `part-017.csv`. */
export function stemOf(name: string): string {
  return name.replace(/\d{1,2}\D*$/, '');
}

function answerOf(page: ListPage, prefix: string): Answer {
  const keys = [...page.objects.map(({ key }) => key), ...page.prefixes];
  const isAll = page.continuationToken === undefined;
  const last = isAll ? undefined : keys.reduce((a, b) => (isBefore(a, b) ? b : a), '');
  const names = keys.map((key) => key.slice(prefix.length).replace(/\/$/, ''));
  return { names: new Set(names), last: last?.slice(prefix.length) };
}

/** Whether a page that ends with `last` would have shown it, as a file and as a directory. */
function isAnswered({ last }: Answer, name: string): boolean {
  return last === undefined || isBefore(`${name}/`, last);
}

function isBefore(a: string, b: string): boolean {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
}
