/** The bits of st_mode (linux/stat.h) that the file system uses. */
export const typeMask = 0o170000;
export const typeSocket = 0o140000;
export const typeSymlink = 0o120000;
export const typeRegular = 0o100000;
export const typeBlockDevice = 0o060000;
export const typeDirectory = 0o040000;
export const typeCharacterDevice = 0o020000;
export const typeFifo = 0o010000;
/** In a directory entry: DT_UNKNOWN. */
export const typeUnknown = 0;
/** The longest target that Linux knows, PATH_MAX without the end: a larger object is no symbolic link. */
export const maxLinkBytes = 4095;
export const permissionMask = 0o7777;
export const setUserIdBit = 0o4000;
export const setGroupIdBit = 0o2000;
export const groupExecuteBit = 0o0010;
