/** Requests about names in directories: looking up, making, removing, renaming. */
import { constants } from 'node:fs';
import { FsError } from '../errors.js';
import type { FuseContext, FuseOperation, Request } from './operation.js';
import { replyEntry } from './operation.js';
import type { Call } from '../file-system.js';
import { encodeBytes, encodeCreated, encodeEmpty, type FuseReply } from './reply-encoding.js';
import { decodeOpenFlags, decodeRenameFlags } from './request-decoding.js';
import { readExistingName, readNewName, readUint64, stringEnd } from './wire.js';

export const lookup: FuseOperation = async (context, { inode, body }, call) =>
  replyEntry(
    context,
    await context.fileSystem.lookup({ parent: inode, name: readExistingName(body, 0) }, call),
  );

/** The body: name, target. */
export const makeSymlink: FuseOperation = async (context, { inode, body }, call) => {
  const name = readNewName(body, 0);
  const target = readNewName(body, stringEnd(body, 0) + 1);
  return replyEntry(context, await context.fileSystem.makeSymlink({ parent: inode, name, target }, call));
};

export const readLink: FuseOperation = async ({ fileSystem }, { inode }, call) =>
  encodeBytes(Buffer.from(await fileSystem.readLink({ inode }, call)));

/** `fuse_mknod_in`, name. The kernel has applied the umask. */
export const makeNode: FuseOperation = async (context, { inode, body }, call) => {
  const [mode, deviceNumber] = [body.readUInt32LE(0), body.readUInt32LE(4)];
  const name = readNewName(body, 16);
  return replyEntry(
    context,
    await context.fileSystem.makeNode({ parent: inode, name, mode, deviceNumber }, call),
  );
};

/** `fuse_mkdir_in`, name. The kernel leaves the type bits out. */
export const makeDirectory: FuseOperation = async (context, { inode, body }, call) => {
  const mode = body.readUInt32LE(0) | constants.S_IFDIR;
  return replyEntry(
    context,
    await context.fileSystem.makeDirectory({ parent: inode, name: readNewName(body, 8), mode }, call),
  );
};

/** `fuse_create_in`, name. */
export const create: FuseOperation = async (context, { inode, body }, call) => {
  const { fileSystem, setIdInodes } = context;
  const mode = body.readUInt32LE(4);
  const { entry, open } = await fileSystem.create(
    { parent: inode, name: readNewName(body, 16), mode, flags: decodeOpenFlags(body, 0) },
    call,
  );
  setIdInodes.note(entry.inode, entry.attributes);
  return {
    head: encodeCreated(entry, open),
    undo: () => {
      fileSystem
        .release({ inode: entry.inode, handle: open.handle })
        .catch((error: unknown) => context.reportFailure('release', error))
        .finally(() => fileSystem.forget(entry.inode, 1));
    },
  };
};

/** `fuse_link_in`, new name; the request's inode is the new parent. */
export const link: FuseOperation = async (context, { inode, body }, call) =>
  replyEntry(
    context,
    await context.fileSystem.makeLink(
      { inode: readUint64(body, 0), newParent: inode, newName: readNewName(body, 8) },
      call,
    ),
  );

export const unlink: FuseOperation = async ({ fileSystem }, { inode, body }, call) => {
  await fileSystem.unlink({ parent: inode, name: readExistingName(body, 0) }, call);
  return encodeEmpty();
};

export const removeDirectory: FuseOperation = async ({ fileSystem }, { inode, body }, call) => {
  await fileSystem.removeDirectory({ parent: inode, name: readExistingName(body, 0) }, call);
  return encodeEmpty();
};

/** `fuse_rename_in`, old name, new name. */
export const rename: FuseOperation = (context, request, call) => renameAt(context, request, 8, 0, call);

/** `fuse_rename2_in`, old name, new name. */
export const rename2: FuseOperation = (context, request, call) =>
  renameAt(context, request, 16, request.body.readUInt32LE(8), call);

async function renameAt(
  { fileSystem }: FuseContext,
  { inode, body }: Request,
  namesOffset: number,
  flagBits: number,
  call: Call,
): Promise<FuseReply> {
  const flags = decodeRenameFlags(flagBits);
  if (flags === undefined) throw new FsError('EINVAL', `rename: flags ${flagBits} are not supported`);
  const newParent = readUint64(body, 0);
  const name = readExistingName(body, namesOffset);
  const newName = readNewName(body, stringEnd(body, namesOffset) + 1);
  await fileSystem.rename({ parent: inode, name, newParent, newName, flags }, call);
  return encodeEmpty();
}
