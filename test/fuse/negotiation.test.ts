import test from 'ava';
import { negotiate } from '../../src/fuse/negotiation.js';

/** `fuse_init_in` */
function offer(major: number, minor: number, flags: number, flags2?: number): Buffer {
  const body = Buffer.alloc(flags2 === undefined ? 16 : 64);
  body.writeUInt32LE(major, 0);
  body.writeUInt32LE(minor, 4);
  body.writeUInt32LE(131072, 8);
  body.writeUInt32LE(flags >>> 0, 12);
  if (flags2 !== undefined) body.writeUInt32LE(flags2, 16);
  return body;
}

const everything = 0xffff_ffff;

test('a newer kernel is answered with what both know', (t) => {
  const result = negotiate(offer(7, 45, everything, everything));
  t.is(result.outcome, 'agreed');
  if (result.outcome !== 'agreed') return;
  const { reply } = result;
  t.is(reply.length, 16 + 64);
  t.deepEqual([reply.readUInt32LE(16), reply.readUInt32LE(20)], [7, 38]);
  const flags = reply.readUInt32LE(28);
  for (const [name, bit] of [
    ['ASYNC_READ', 0],
    ['ATOMIC_O_TRUNC', 3],
    ['BIG_WRITES', 5],
    ['DO_READDIRPLUS', 13],
    ['READDIRPLUS_AUTO', 14],
    ['ASYNC_DIO', 15],
    ['PARALLEL_DIROPS', 18],
    ['MAX_PAGES', 22],
    ['CACHE_SYMLINKS', 23],
    ['HANDLE_KILLPRIV_V2', 28],
    ['INIT_EXT', 30],
  ] as const) {
    t.true((flags & (1 << bit)) !== 0, name);
  }
  for (const [name, bit] of [
    ['POSIX_LOCKS', 1],
    ['DONT_MASK', 6],
    ['FLOCK_LOCKS', 10],
    ['AUTO_INVAL_DATA', 12],
    ['WRITEBACK_CACHE', 16],
    ['NO_OPEN_SUPPORT', 17],
    ['POSIX_ACL', 20],
    ['NO_OPENDIR_SUPPORT', 24],
    ['EXPLICIT_INVAL_DATA', 25],
    ['SETXATTR_EXT', 29],
  ] as const) {
    t.true((flags & (1 << bit)) === 0, name);
  }
  t.is(reply.readUInt32LE(36), 1 << 20, 'max_write');
  t.is(reply.readUInt16LE(44), 256, 'max_pages');
  t.is(reply.readUInt32LE(48), 1 << 4, 'flags2');
});

test('nothing is taken up that the kernel does not offer', (t) => {
  const result = negotiate(offer(7, 31, 1 << 22));
  t.is(result.outcome, 'agreed');
  if (result.outcome !== 'agreed') return;
  t.is(result.reply.readUInt32LE(20), 31);
  t.is(result.reply.readUInt32LE(28), 1 << 22);
  t.is(result.reply.readUInt32LE(48), 0);
});

test('what lies where flags2 would be counts only if the kernel says that it sends it', (t) => {
  const result = negotiate(offer(7, 40, 1 << 22, everything));
  t.is(result.outcome === 'agreed' ? result.reply.readUInt32LE(48) : undefined, 0);
});

test('a newer major version is asked to come down to ours', (t) => {
  const result = negotiate(offer(8, 0, everything));
  t.is(result.outcome, 'retry');
  if (result.outcome === 'retry') t.is(result.reply.readUInt32LE(16), 7);
});

test('an older kernel is refused, saying what is needed', (t) => {
  for (const body of [offer(7, 30, everything), offer(6, 99, everything)]) {
    const result = negotiate(body);
    t.regex(result.outcome === 'refused' ? result.reason : '', /7\.31 \(Linux 5\.4\)/);
  }
});
