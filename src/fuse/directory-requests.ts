/** Requests about open directories. */
import { DirectoryReply } from './directory-reply.js';
import type { FuseOperation } from './operation.js';
import { encodeEmpty, encodeOpenDirectory } from './reply-encoding.js';
import { decodeRead } from './request-decoding.js';
import { readUint64 } from './wire.js';

export const openDirectory: FuseOperation = async ({ fileSystem }, { inode }, call) => {
  const reply = await fileSystem.openDirectory({ inode }, call);
  return {
    head: encodeOpenDirectory(reply),
    undo: () => fileSystem.releaseDirectory({ inode, handle: reply.handle }),
  };
};

/** `fuse_read_in`. */
export const readDirectory: FuseOperation = async ({ fileSystem }, { inode, body }, call) => {
  const { handle, offset, length } = decodeRead(body);
  const reply = new DirectoryReply(length, false);
  await fileSystem.readDirectory(
    { inode, handle, offset, add: (entry) => reply.add(entry, undefined) },
    call,
  );
  return { head: reply.finish() };
};

/** `fuse_read_in`. Each full entry that was taken is a lookup, also if the whole then fails. */
export const readDirectoryPlus: FuseOperation = async (
  { fileSystem, setIdInodes },
  { inode, body },
  call,
) => {
  const { handle, offset, length } = decodeRead(body);
  const reply = new DirectoryReply(length, true);
  const undo = () => {
    for (const lookedUp of reply.lookedUp) fileSystem.forget(lookedUp, 1);
  };
  try {
    await fileSystem.readDirectoryPlus(
      {
        inode,
        handle,
        offset,
        add: (entry, full) => {
          const wasTaken = reply.add(entry, full);
          if (wasTaken && full !== undefined) setIdInodes.note(full.inode, full.attributes);
          return wasTaken;
        },
      },
      call,
    );
  } catch (error) {
    reply.finish();
    undo();
    throw error;
  }
  return { head: reply.finish(), undo };
};

/** `fuse_release_in`: its handle comes first. */
export const releaseDirectory: FuseOperation = ({ fileSystem }, { inode, body }) => {
  fileSystem.releaseDirectory({ inode, handle: readUint64(body, 0) });
  return encodeEmpty();
};

/** `fuse_fsync_in`. */
export const synchronizeDirectory: FuseOperation = async ({ fileSystem }, { inode, body }, call) => {
  await fileSystem.synchronizeDirectory({ inode, handle: readUint64(body, 0) }, call);
  return encodeEmpty();
};
