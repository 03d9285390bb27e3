/** The command line of `scripts/bench`, checked. What each option does is told in that script's head. Pure. */
import { jobNames } from './jobs.js';
import type { Scale } from './sizes.js';
import { mountPrograms, type MountProgram } from './measurements.js';
import { OptionError, parseValues, wholeNumber } from './option-values.js';

export interface BenchOptions {
  readonly rounds: number;
  readonly jobs: readonly string[];
  readonly scale: Scale;
  readonly programs: readonly MountProgram[];
  readonly nodelay: readonly (0 | 1)[];
  /** Round trips of the shaped runs, milliseconds; none by default. */
  readonly delaysMs: readonly number[];
  readonly growth: boolean;
  /** The longest that a step of a job may take. */
  readonly limitSeconds: number;
  readonly output: string;
}

export function parseOptions(argv: readonly string[]): BenchOptions {
  const values = parse(argv);
  const scale = oneOf('--scale', values.scale ?? 'quick', ['quick', 'full'] as const);
  return {
    rounds: wholeNumber('--rounds', values.rounds ?? '3', 1, 100),
    jobs: list('--jobs', values.jobs ?? jobNames.join(','), jobNames),
    scale,
    programs: list('--programs', values.programs ?? mountPrograms.join(','), mountPrograms),
    nodelay: list('--nodelay', values.nodelay ?? '0,1', ['0', '1']).map((value) => (value === '1' ? 1 : 0)),
    delaysMs: (values.delay ?? '')
      .split(',')
      .filter((text) => text !== '')
      .map((text) => wholeNumber('--delay', text, 1, 1000)),
    growth: values.growth ?? false,
    limitSeconds: wholeNumber('--limit', values.limit ?? (scale === 'full' ? '600' : '180'), 5, 86_400),
    output: values.output ?? 'bench-results',
  };
}

function parse(argv: readonly string[]) {
  const text = { type: 'string' } as const;
  return parseValues(argv, {
    rounds: text,
    jobs: text,
    scale: text,
    programs: text,
    nodelay: text,
    delay: text,
    growth: { type: 'boolean' },
    limit: text,
    output: text,
  });
}

function oneOf<T extends string>(option: string, text: string, known: readonly T[]): T {
  const found = known.find((each) => each === text);
  if (found === undefined)
    throw new OptionError(`${option} takes ${known.join(', ')}, not ${text || 'nothing'}`);
  return found;
}

function list<T extends string>(option: string, text: string, known: readonly T[]): T[] {
  const names = text.split(',').filter((name) => name !== '');
  if (names.length === 0) throw new OptionError(`${option} takes a list with commas, of ${known.join(', ')}`);
  return [...new Set(names.map((name) => oneOf(option, name, known)))];
}
