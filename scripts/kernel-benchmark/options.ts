/** The command line of `scripts/bench-kernel`, checked. What each option does is told in that script's head. Pure. */
import path from 'node:path';
import { OptionError, parseValues, wholeNumber } from '../benchmark/option-values.js';

export interface BenchmarkOptions {
  readonly rounds: number;
  readonly files: number;
  readonly sizeBytes: number;
  /** Job names begin with one of these; all jobs if there are none. */
  readonly jobs: readonly string[];
  readonly contenders: readonly ContenderName[];
  /** The `dist` of another build, to be measured beside this one. */
  readonly otherBuild: string | undefined;
  readonly profileDirectory: string | undefined;
  readonly resultsFile: string;
}

const contenderNames = ['tmpfs', 'passthrough', 'fuse-native', 'other', 'osirisfs'] as const;
export type ContenderName = (typeof contenderNames)[number];

const maxSizeMib = 8192;

/** Relative paths are relative to `directory`. */
export function parseOptions(argv: readonly string[], directory: string): BenchmarkOptions {
  const values = parse(argv);
  const otherBuild = values.compare === undefined ? undefined : path.resolve(directory, values.compare);
  const without = otherBuild === undefined ? ['other'] : [];
  const known = contenderNames.filter((name) => !without.includes(name));
  return {
    rounds: wholeNumber('--rounds', values.rounds ?? '3', 1, 100),
    files: wholeNumber('--files', values.files ?? '5000', 10, 100_000),
    sizeBytes: wholeNumber('--size', values.size ?? '1024', 16, maxSizeMib) * 1024 * 1024,
    jobs: split(values.jobs ?? '', ';'),
    contenders:
      values.programs === undefined
        ? known
        : split(values.programs, ',').map((name) => contender(name, known)),
    otherBuild,
    profileDirectory: values.profile === undefined ? undefined : path.resolve(directory, values.profile),
    resultsFile: path.resolve(directory, values.output ?? 'bench-kernel.json'),
  };
}

function parse(argv: readonly string[]) {
  const text = { type: 'string' } as const;
  return parseValues(argv, {
    rounds: text,
    files: text,
    size: text,
    jobs: text,
    programs: text,
    compare: text,
    profile: text,
    output: text,
  });
}

function contender(name: string, known: readonly ContenderName[]): ContenderName {
  const found = known.find((each) => each === name);
  if (found === undefined) throw new OptionError(`--programs takes ${known.join(', ')}, not ${name}`);
  return found;
}

function split(text: string, separator: string): string[] {
  return text
    .split(separator)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
