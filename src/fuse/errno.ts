/** The one table that turns the error names of the file system into the numbers that the kernel wants. */
import { constants } from 'node:os';
import type { FsErrorCode } from '../errors.js';

const errno = constants.errno;

/** The numbers differ between processor architectures; Node knows those of the one it runs on. */
const errnoByCode: Readonly<Record<FsErrorCode, number>> = {
  EPERM: errno.EPERM,
  ENOENT: errno.ENOENT,
  EINTR: errno.EINTR,
  EIO: errno.EIO,
  E2BIG: errno.E2BIG,
  EBADF: errno.EBADF,
  ENOMEM: errno.ENOMEM,
  EACCES: errno.EACCES,
  EBUSY: errno.EBUSY,
  EEXIST: errno.EEXIST,
  EXDEV: errno.EXDEV,
  ENODEV: errno.ENODEV,
  ENOTDIR: errno.ENOTDIR,
  EISDIR: errno.EISDIR,
  EINVAL: errno.EINVAL,
  EFBIG: errno.EFBIG,
  ENOSPC: errno.ENOSPC,
  EROFS: errno.EROFS,
  EMLINK: errno.EMLINK,
  ERANGE: errno.ERANGE,
  ENAMETOOLONG: errno.ENAMETOOLONG,
  ENOSYS: errno.ENOSYS,
  ENOTEMPTY: errno.ENOTEMPTY,
  ELOOP: errno.ELOOP,
  ENODATA: errno.ENODATA,
  EPROTO: errno.EPROTO,
  EILSEQ: errno.EILSEQ,
  EOPNOTSUPP: errno.EOPNOTSUPP,
  ETIMEDOUT: errno.ETIMEDOUT,
  ESTALE: errno.ESTALE,
  EDQUOT: errno.EDQUOT,
  ENXIO: errno.ENXIO,
};

/** The positive errno of `code` on this machine. */
export function errnoNumber(code: FsErrorCode): number {
  return errnoByCode[code];
}
