/** Sizes and durations as people write them in options, the environment and the config file. Pure. */

export const mebibyte = 2 ** 20;

const sizeUnits: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 2 ** 10,
  kb: 1e3,
  kib: 2 ** 10,
  m: mebibyte,
  mb: 1e6,
  mib: mebibyte,
  g: 2 ** 30,
  gb: 1e9,
  gib: 2 ** 30,
  t: 2 ** 40,
  tb: 1e12,
  tib: 2 ** 40,
};

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
};

/**
 * Bytes of `256MiB`, `1.5G`, `64k` or `1000`: a letter alone and `iB` count in powers of 1,024, `B` in powers of 1,000,
 * as dd(1) does. Upper and lower case are the same. Undefined if it is not a size, or not a whole number of bytes.
 */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, sizeUnits);
}

/** Milliseconds of `500ms`, `5s`, `2m`, `1h`; a plain number counts seconds. Undefined if it is not a duration. */
export function parseDurationMs(text: string): number | undefined {
  return parseQuantity(/^\d+(\.\d+)?$/.test(text) ? `${text}s` : text, durationUnits);
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,6})?) ?([a-z]*)$/i.exec(text.trim());
  const unit = units[(match?.[2] ?? '').toLowerCase()];
  if (match === null || unit === undefined) return undefined;
  const value = Math.round(Number(match[1]) * unit * 1e6) / 1e6;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** `1 file`, `2 files`. */
export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
