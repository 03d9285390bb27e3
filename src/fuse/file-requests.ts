/** Requests about the data of files. */
import { FsError } from '../errors.js';
import type { Call, HandleId, InodeId } from '../file-system.js';
import type { FuseOperation, FuseContext } from './operation.js';
import * as protocol from './protocol.js';
import { encodeCount, encodeEmpty, encodeOffset, encodeOpen, type FuseReply } from './reply-encoding.js';
import * as requests from './request-decoding.js';
import { readUint64 } from './wire.js';

/** `fuse_open_in`. */
export const open: FuseOperation = async (context, { inode, body }, call) => {
  const { fileSystem } = context;
  const flags = requests.decodeOpenFlags(body, 0);
  const killsSetId = (body.readUInt32LE(4) & protocol.openKillsSetId) !== 0;
  const reply = await fileSystem.open({ inode, flags }, call);
  const undo = () => {
    fileSystem
      .release({ inode, handle: reply.handle })
      .catch((error: unknown) => context.reportFailure('release', error));
  };
  if (killsSetId) {
    try {
      await dropSetIdBits(context, inode, reply.handle, call);
    } catch (error) {
      undo();
      throw error;
    }
  }
  return { head: encodeOpen(reply), undo };
};

/** `fuse_read_in`. */
export const read: FuseOperation = async ({ fileSystem, cachedInodes }, { inode, body }, call) => {
  const { handle, offset, length } = requests.decodeRead(body);
  if (!requests.isDirect(body)) cachedInodes.note(inode);
  const pieces = await fileSystem.read({ inode, handle, offset, length }, call);
  let total = 0;
  for (const piece of pieces) total += piece.length;
  if (total > length) throw new Error(`read: ${total} bytes for a request of ${length}`);
  return { ...encodeEmpty(), pieces };
};

/** `fuse_write_in`, data. */
export const write: FuseOperation = (context, { inode, body, isBodyLasting }, call) => {
  const decoded = requests.decodeWrite(body);
  const { handle, offset, data } = decoded;
  const isDirect = requests.isDirect(body);
  if (!isDirect) context.cachedInodes.note(inode);
  // The kernel sets this at each write of an unprivileged caller.
  const killsSetId = decoded.killSetId && context.setIdInodes.has(inode);
  const isDone = !killsSetId && context.fileSystem.tryWrite?.({ inode, handle, offset, data }, call);
  if (isDone && !isDirect) return encodeCount(data.length);
  const lasting = isBodyLasting || isDone ? decoded : { ...decoded, data: Buffer.from(data) };
  const written = isDone ? encodeCount(data.length) : writeWaiting(context, inode, lasting, call);
  return isDirect
    ? afterDirectWrite(context, inode, { offset, length: data.length }, written, call)
    : written;
};

async function afterDirectWrite(
  { cachedInodes, caches }: FuseContext,
  inode: InodeId,
  range: { offset: number; length: number },
  written: FuseReply | Promise<FuseReply>,
  call: Call,
): Promise<FuseReply> {
  const reply = await written;
  await cachedInodes.dropAfterDirectWrite(caches, { inode, ...range }, call);
  return reply;
}

async function writeWaiting(
  context: FuseContext,
  inode: InodeId,
  { handle, offset, data, killSetId }: ReturnType<typeof requests.decodeWrite>,
  call: Call,
): Promise<FuseReply> {
  if (killSetId) await dropSetIdBits(context, inode, handle, call);
  await context.fileSystem.write({ inode, handle, offset, data }, call);
  return encodeCount(data.length);
}

/** The duty that comes with FUSE_HANDLE_KILLPRIV_V2; see `set-id-inodes.ts`. */
async function dropSetIdBits(
  { fileSystem, setIdInodes, caches }: FuseContext,
  inode: InodeId,
  handle: HandleId,
  call: Call,
): Promise<void> {
  if (!setIdInodes.has(inode)) return;
  const { attributes } = await fileSystem.setAttributes(
    { inode, changes: { killSetId: true }, handle },
    call,
  );
  setIdInodes.note(inode, attributes);
  // After a write the kernel renews only size and times. Not awaited: it may need this answer first.
  void caches.dropInode(inode, -1);
}

/** `fuse_flush_in`: its handle comes first; the rest is about locks, which the kernel keeps. */
export const flush: FuseOperation = async ({ fileSystem }, { inode, body }, call) => {
  await fileSystem.flush({ inode, handle: readUint64(body, 0) }, call);
  return encodeEmpty();
};

/** `fuse_release_in`: its handle comes first. */
export const release: FuseOperation = async ({ fileSystem }, { inode, body }) => {
  await fileSystem.release({ inode, handle: readUint64(body, 0) });
  return encodeEmpty();
};

/** `fuse_fsync_in`: its handle comes first. fdatasync(2) is no cheaper: an object is stored whole. */
export const synchronize: FuseOperation = async ({ fileSystem }, { inode, body }, call) => {
  await fileSystem.synchronize({ inode, handle: readUint64(body, 0) }, call);
  return encodeEmpty();
};

export const fallocate: FuseOperation = async (context, { inode, body }, call) => {
  const { handle, offset, length, mode } = requests.decodeFallocate(body);
  if (mode === undefined) throw new FsError('EOPNOTSUPP', 'fallocate: this mode is not supported');
  // Here the kernel does not tell the caller's privilege.
  if (call.uid !== 0) await dropSetIdBits(context, inode, handle, call);
  await context.fileSystem.fallocate({ inode, handle, offset, length, mode }, call);
  return encodeEmpty();
};

/** `fuse_lseek_in`. The kernel does other kinds of lseek(2) itself. */
export const seek: FuseOperation = async ({ fileSystem }, { inode, body }, call) => {
  const whence = body.readUInt32LE(16);
  if (whence !== protocol.seekData && whence !== protocol.seekHole) {
    throw new FsError('EINVAL', `lseek: whence ${whence} is not known`);
  }
  const kind = whence === protocol.seekData ? 'data' : 'hole';
  return encodeOffset(
    await fileSystem.seek(
      { inode, handle: readUint64(body, 0), offset: readUint64(body, 8), whence: kind },
      call,
    ),
  );
};

/**
 * The most that is copied in one call: the answer's count has 32 bits, while kernels from before the autumn of 2025 pass on any length.
 * copy_file_range(2) may copy less than that, and programs go on from there.
 */
const maxCopyBytes = 2 ** 31;

export const copyFileRange: FuseOperation = async (context, { inode, body }, call) => {
  const { from, to, length } = requests.decodeCopyFileRange(inode, body);
  if (call.uid !== 0) await dropSetIdBits(context, to.inode, to.handle, call);
  const request = { from, to, length: Math.min(length, maxCopyBytes) };
  return encodeCount(await context.fileSystem.copyFileRange(request, call));
};
