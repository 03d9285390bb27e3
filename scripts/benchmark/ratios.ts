/** Who was how many times as fast as whom, and which targets are met. Pure. */
import type { Contestant, Measured, Outcome, Target, Unit } from './measurements.js';
import { median } from './statistics.js';

export type Outcomes = Partial<Record<Contestant, Outcome>>;

export interface Verdict {
  readonly target: Target;
  /** How many times as fast as what the target names; for `absolute` the value. Undefined if either side has no value. */
  readonly reached: number | undefined;
  /** Undefined if that cannot be said; true if the other side fails or takes too long, and osirisfs does not. */
  readonly met: boolean | undefined;
}

export function medianValue(outcome: Outcome | undefined): number | undefined {
  return median((outcome?.samples ?? []).map((sample) => sample.value));
}

/** How many times as fast `ours` is as `theirs`. */
function timesAsFast(unit: Unit, ours: number, theirs: number): number {
  return unit === 's' ? theirs / ours : ours / theirs;
}

/** The better of s3fs and rclone. */
export function betterPeer(unit: Unit, outcomes: Outcomes): number | undefined {
  const values = [medianValue(outcomes.s3fs), medianValue(outcomes.rclone)].filter(
    (value) => value !== undefined,
  );
  if (values.length === 0) return undefined;
  return unit === 's' ? Math.min(...values) : Math.max(...values);
}

/** Of osirisfs to the better peer. */
export function ratioToPeer(unit: Unit, outcomes: Outcomes): number | undefined {
  const ours = medianValue(outcomes.osirisfs);
  const theirs = betterPeer(unit, outcomes);
  return ours === undefined || theirs === undefined ? undefined : timesAsFast(unit, ours, theirs);
}

export function judge({ unit, targets }: Measured, outcomes: Outcomes): Verdict[] {
  return targets.map((target) => judgeOne(unit, target, outcomes));
}

function judgeOne(unit: Unit, target: Target, outcomes: Outcomes): Verdict {
  const ours = medianValue(outcomes.osirisfs);
  if (ours === undefined) {
    return { target, reached: undefined, met: hasFailed(outcomes.osirisfs) ? false : undefined };
  }
  if (target.against === 'absolute') {
    return { target, reached: ours, met: unit === 's' ? ours <= target.factor : ours >= target.factor };
  }
  const theirs =
    target.against === 'peer' ? betterPeer(unit, outcomes) : medianValue(outcomes[target.against]);
  if (theirs === undefined) {
    const others = target.against === 'peer' ? (['s3fs', 'rclone'] as const) : [target.against];
    return { target, reached: undefined, met: others.some((name) => hasFailed(outcomes[name])) || undefined };
  }
  const reached = timesAsFast(unit, ours, theirs);
  return { target, reached, met: reached >= target.factor };
}

function hasFailed(outcome: Outcome | undefined): boolean {
  return outcome?.samples.length === 0 && outcome.failures.length > 0;
}
