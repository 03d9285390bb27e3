/** What the command lines of the benchmarks have in common. Pure. */
import { parseArgs, type ParseArgsConfig } from 'node:util';

/** A mistake on the command line; its message is one line. */
export class OptionError extends Error {}

/** `parseArgs`, whose complaints become an `OptionError`. */
export function parseValues<T extends NonNullable<ParseArgsConfig['options']>>(
  argv: readonly string[],
  options: T,
) {
  try {
    return parseArgs({ args: [...argv], options }).values;
  } catch (error) {
    const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw new OptionError(line, { cause: error });
  }
}

export function wholeNumber(option: string, text: string, least: number, most: number): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new OptionError(`${option} takes a whole number from ${least} to ${most}, not ${text || 'nothing'}`);
}
