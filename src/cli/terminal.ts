/**
 * What the commands print: results to stdout, everything else to stderr. Text from elsewhere, such as a key, a path or a
 * server's words, cannot steer the terminal.
 */
import { inOneLine, withoutSteering } from '../printable.js';

const clearScreen = '\x1b[H\x1b[J';
const clearLine = '\r\x1b[K';

export function announce(line: string): void {
  process.stdout.write(`${inOneLine(line)}\n`);
}

/** Several lines. Names among them must be `printable`, or they could make lines of their own. */
export function announceText(text: string): void {
  process.stdout.write(`${withoutSteering(text)}\n`);
}

/** Replaces everything that the terminal shows. */
export function showScreen(text: string): void {
  process.stdout.write(`${clearScreen}${withoutSteering(text)}\n`);
}

/** In one line. */
export function complain(line: string): void {
  process.stderr.write(`osirisfs: ${inOneLine(line)}\n`);
}

/** Replaces the unfinished line of stderr. */
export function clearUnfinishedLine(): void {
  if (process.stderr.isTTY) process.stderr.write(clearLine);
}

/** Any text, quoted so that a shell reads it back unchanged. */
export function quoteForShell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Plain words stay as they are, for lines that people read. */
export function quoteWhereNeeded(text: string): string {
  return /^[A-Za-z0-9_./:@%+,=-]+$/.test(text) ? text : quoteForShell(text);
}
