/**
 * Reads small pieces and prints the seconds it took. Run by the jobs, in a process of its own, because it waits for a mount.
 * Usage: reader.js random COUNT FILE (in all), reader.js first-byte COUNT FILE... (the median of a file).
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { median } from './statistics.js';

const [mode, countText, ...files] = process.argv.slice(2);
const count = Number(countText);
if (mode === 'random') {
  const [file = ''] = files;
  process.stdout.write(`${readRandomly(file, count)}\n`);
} else {
  process.stdout.write(`${median(files.map((file) => readFirst(file, count))) ?? ''}\n`);
}

function readRandomly(file: string, reads: number): number {
  const begun = performance.now();
  const descriptor = openSync(file, 'r');
  const buffer = Buffer.alloc(4096);
  const blocks = Math.floor(fstatSync(descriptor).size / buffer.length);
  let state = 1;
  for (let i = 0; i < reads; i++) {
    // Numerical Recipes' generator: the same places for every program.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const position = Math.floor((state / 2 ** 32) * blocks) * buffer.length;
    if (readSync(descriptor, buffer, 0, buffer.length, position) !== buffer.length) {
      throw new Error(`short read at ${position}`);
    }
  }
  closeSync(descriptor);
  return (performance.now() - begun) / 1000;
}

function readFirst(file: string, bytes: number): number {
  const begun = performance.now();
  const descriptor = openSync(file, 'r');
  if (readSync(descriptor, Buffer.alloc(bytes), 0, bytes, 0) !== bytes) throw new Error('short read');
  const elapsed = (performance.now() - begun) / 1000;
  closeSync(descriptor);
  return elapsed;
}
