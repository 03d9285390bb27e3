/**
 * How long tests wait for what should happen. One generous limit for all: it costs nothing where the thing happens, and a limit
 * that is nearly reached on a quiet machine fails on a busy one. Nothing may be concluded from how much of it was used.
 */

/** OSIRISFS_TEST_PATIENCE=N makes it N times as long, for a machine that is slow or has much else to do. */
export const patienceMs = 60_000 * factorFrom(process.env['OSIRISFS_TEST_PATIENCE']);

/** Resolves when `isTrue`, which is asked in every turn of the event loop; throws when the patience is at its end. */
export async function turnsUntil(what: string, isTrue: () => boolean): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (!isTrue()) {
    if (performance.now() > endMs) throw new Error(`not within ${patienceMs} ms: ${what}`);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

/**
 * Lets everything happen that waits for nothing outside of this process: with a store in memory a request takes a turn or two,
 * so that after these what has not happened is held back, however busy the machine is.
 */
export async function manyTurns(): Promise<void> {
  for (let turn = 0; turn < 300; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}

function factorFrom(text: string | undefined): number {
  const factor = Number(text ?? 1);
  if (!(factor >= 1 && factor <= 100)) {
    throw new Error(`OSIRISFS_TEST_PATIENCE is a number from 1 to 100, not ${text ?? ''}`);
  }
  return factor;
}
