#!/usr/bin/env node
/**
 * The entry. CommonJS, because Node loads an ES module through libuv's thread pool, and the size of the pool is settled at
 * its first use: by the time an ES module could set it, it is too late.
 */

/**
 * Threads that read requests from /dev/fuse are blocked there, and dropping the kernel's caches may block others; what is
 * left is for files, DNS and hashing. Read by libuv (threadpool.c).
 */
process.env['UV_THREADPOOL_SIZE'] ??= '24';

void import('./cli/run.js').then(({ runToTheEnd }) => runToTheEnd(process.argv.slice(2)));
