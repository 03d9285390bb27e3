/** Shows progress on standard error: a bar that stays in its line on a terminal, else a line every now and then. */
import { inOneLine } from '../printable.js';
import type { Progress, TransferSummary } from '../transfer/progress.js';

const barIntervalMs = 200;
const lineIntervalMs = 10_000;
const barCells = 24;

interface ProgressScreen {
  readonly isTerminal: boolean;
  write(text: string): void;
}

const standardError: ProgressScreen = {
  isTerminal: process.stderr.isTTY,
  write: (text) => void process.stderr.write(text),
};

export class ProgressDisplay {
  readonly #progress: Progress;
  readonly #screen: ProgressScreen;
  readonly #now: () => number;
  readonly #startMs: number;
  readonly #timer: NodeJS.Timeout;
  #hasBar = false;

  constructor(progress: Progress, screen = standardError, now: () => number = () => performance.now()) {
    this.#progress = progress;
    this.#screen = screen;
    this.#now = now;
    this.#startMs = now();
    this.#timer = setInterval(() => this.show(), screen.isTerminal ? barIntervalMs : lineIntervalMs).unref();
  }

  show(): void {
    const seconds = (this.#now() - this.#startMs) / 1000;
    const { isTerminal } = this.#screen;
    const text = progressLine(this.#progress, seconds, isTerminal);
    this.#screen.write(isTerminal ? `\r${text}\x1b[K` : `${text}\n`);
    this.#hasBar = isTerminal;
  }

  /** A line of its own, above the bar. */
  say(line: string): void {
    this.#clear();
    this.#screen.write(`${inOneLine(line)}\n`);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#clear();
  }

  #clear(): void {
    if (this.#hasBar) this.#screen.write('\r\x1b[K');
    this.#hasBar = false;
  }
}

export function progressLine(progress: Progress, seconds: number, withBar: boolean): string {
  const { objectsDone, objectsFound, bytesDone, bytesFound, isListed } = progress;
  const fraction = bytesFound === 0 ? Number(isListed) : Math.min(1, bytesDone / bytesFound);
  const filled = Math.round(fraction * barCells);
  const bar = withBar ? `[${'#'.repeat(filled)}${'.'.repeat(barCells - filled)}] ` : '';
  const more = isListed ? '' : ' so far';
  const rate = seconds > 0 ? `, ${formatBytes(bytesDone / seconds)}/s` : '';
  return `${bar}${Math.floor(fraction * 100)} % of ${formatBytes(bytesFound)}${more}, ${objectsDone} of ${objectsFound} objects${rate}`;
}

/** The last line of put and get. `verb`: `stored` or `fetched`. */
export function transferLine(summary: TransferSummary, verb: string): string {
  const { transferred, transferredBytes, already, failed } = summary;
  return `${transferred} ${verb} (${formatBytes(transferredBytes)}), ${already} there already, ${failed} failed`;
}

/** `512 B`, `1.5 KiB`, ... */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = units.shift() ?? '';
  while (value >= 1024 && units.length > 0) {
    value /= 1024;
    unit = units.shift() ?? unit;
  }
  return `${unit === 'B' ? Math.round(value) : value.toFixed(1)} ${unit}`;
}
