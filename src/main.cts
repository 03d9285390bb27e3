#!/usr/bin/env node
/**
 * The entry. CommonJS, because Node loads an ES module through libuv's thread pool, and the size of the pool is fixed at its
 * first use: an ES module could only set it too late.
 */
import type * as Program from './cli/run.js' with { 'resolution-mode': 'import' };

/** Older versions cannot run the code that follows, or its packages. */
const oldestNode = [20, 19] as const;
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1])) {
  process.stderr.write(
    `osirisfs: this is Node ${process.versions.node}, and osirisfs needs Node ${oldestNode.join('.')} or a newer one; see https://nodejs.org\n`,
  );
  process.exit(1);
}

/**
 * Without a listener Node opens its inspector at this signal, on a port through which every user of this machine could run code here.
 * Set before anything else, and for the life of the process.
 */
process.on('SIGUSR1', () => undefined);

/**
 * Threads that read requests from /dev/fuse block there, and dropping the kernel's caches may block others. The rest is for files,
 * DNS and hashing. libuv (threadpool.c) reads the variable.
 */
process.env['UV_THREADPOOL_SIZE'] ??= '24';

/** `cli/run.js` and what it loads, as scripts/bundle.ts puts them together. */
const program = './bundle/run.js';

void (import(program) as Promise<typeof Program>).then(({ runToTheEnd }) =>
  runToTheEnd(process.argv.slice(2)),
);
