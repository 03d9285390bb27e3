/** What a job of the bench is: steps in bash, each run in the mount's directory. */
import type { Measured, Sample } from './measurements.js';
import type { Work } from './work.js';

export interface Job {
  /** For --jobs. */
  readonly name: string;
  readonly steps: readonly Step[];
  /** A step that fails is the end of the job, as the later ones need what it makes. */
  readonly isChain?: boolean;
  /** Rows that curl has a figure for; see raw-transfers. */
  readonly raw?: readonly RawMeasures[];
}

/** What the server can do: the same in parallel requests, without a file system. Rejects with `StepFailure`. */
interface RawMeasures {
  /** Of the rows that it is a figure for. */
  readonly ids: readonly string[];
  readonly measure: (work: Work) => Promise<Sample>;
}

export interface Step {
  /** `cold`: on a new mount, with the kernel's caches dropped. `warm`: on the mount as the step before left it. */
  readonly from: 'cold' | 'warm';
  /** Whether a cold mount is to be one for writing, which is an option of rclone's. */
  readonly writes: boolean;
  /** Sees $SOURCE (local, see source-files), $OWN and $SHARED (in the mount), $READER, and the functions of `prelude`. */
  readonly script: string;
  /** What the bucket must show before the step counts as done. */
  readonly stored?: Stored;
  /** Absent for steps that only prepare. */
  readonly measures?: Measures;
}

export interface Measures extends Measured {
  readonly contentBytes?: number;
  /** The sample of a finished step; throws if the output is not what it should be. */
  readonly value: (outcome: StepOutcome) => number;
}

export interface StepOutcome {
  /** Until the script had ended. */
  readonly scriptSeconds: number;
  /** Until the bucket had everything; the same where nothing is stored. */
  readonly seconds: number;
  /** What the script printed. */
  readonly output: string;
}

/** Paths in the bucket are below the program's own folder. */
export type Stored =
  | { readonly kind: 'tree'; readonly path: string; readonly files: number; readonly bytes: number }
  /** The bucket has the files that the mount shows. */
  | { readonly kind: 'as-mounted'; readonly path: string }
  | { readonly kind: 'changed'; readonly path: string }
  | { readonly kind: 'moved'; readonly from: string; readonly to: string }
  | { readonly kind: 'mode'; readonly path: string; readonly mode: number };

export const seconds = (outcome: StepOutcome): number => outcome.seconds;

export function throughput(bytes: number): (outcome: StepOutcome) => number {
  return (outcome) => bytes / 2 ** 20 / outcome.seconds;
}

/** For scripts that measure by themselves. */
export function printedSeconds({ output }: StepOutcome): number {
  const value = Number(output.trim());
  if (output.trim() === '' || !Number.isFinite(value)) throw new Error(`printed ${output.slice(0, 80)}`);
  return value;
}
