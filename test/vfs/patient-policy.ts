/** The retries of a real mount, on a clock of their own, which only the waits between attempts move. */
import { RetryPolicy } from '../../src/s3/retry-policy.js';
import { makeLog } from './file-system-fixture.js';

interface PatientPolicy {
  readonly policy: RetryPolicy;
  readonly nowMs: () => number;
}

export function patientPolicy(): PatientPolicy {
  let nowMs = 0;
  const policy = new RetryPolicy({
    maxElapsedMs: 60_000,
    log: makeLog().log,
    now: () => nowMs,
    random: () => 0.5,
    sleep: (ms) => {
      nowMs += ms;
      return Promise.resolve();
    },
  });
  return { policy, nowMs: () => nowMs };
}
