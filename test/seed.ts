/**
 * The one source of chance in the tests: fast-check with a fixed seed, so that every run of the tests does the same. The
 * environment variable OSIRISFS_TEST_SEED gives another one; `scripts/soak` tries many of them. A case that once failed is
 * committed as one of the `examples` of its property. Lint keeps other sources of chance out of the tests.
 */
import fc from 'fast-check';

/** A seed is a whole number from 0 to 2^31 - 1, since fast-check uses 32 bits with a sign. */
export const testSeed = seedFrom(process.env['OSIRISFS_TEST_SEED']);

fc.configureGlobal({ seed: testSeed });

export { fc };

function seedFrom(text: string | undefined): number {
  if (text === undefined || text === '') return 20_180_524;
  const seed = Number(text);
  if (!/^\d+$/.test(text) || seed >= 2 ** 31) {
    throw new Error(`OSIRISFS_TEST_SEED is a whole number from 0 to 2147483647, not ${text}`);
  }
  return seed;
}
