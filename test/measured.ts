/**
 * What depends on the machine and on what else it does: memory, speed, how often something happened. It is always logged, and
 * asserted only where OSIRISFS_TEST_MEASURE=1, as `scripts/soak` sets it: an ordinary run of the tests must not fail by chance.
 */
import type { ExecutionContext } from 'ava';

const isAsserted = process.env['OSIRISFS_TEST_MEASURE'] === '1';

/** `found` says what was measured, in words and numbers. */
export function measured(t: ExecutionContext, isAsWanted: boolean, found: string): void {
  t.log(isAsWanted ? found : `not as it should be: ${found}`);
  if (isAsserted) t.true(isAsWanted, found);
}
