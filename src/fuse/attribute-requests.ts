/** Requests about what is known of a file beside its data: attributes, access, extended attributes, space. */
import { FsError } from '../errors.js';
import type { FuseOperation } from './operation.js';
import * as protocol from './protocol.js';
import {
  encodeAttributes,
  encodeBytes,
  encodeCount,
  encodeEmpty,
  encodeStatistics,
} from './reply-encoding.js';
import type { FuseReply } from './reply-encoding.js';
import { decodeGetAttributesHandle, decodeSetAttributes } from './request-decoding.js';
import { readString, stringEnd } from './wire.js';

export const getAttributes: FuseOperation = async ({ fileSystem, setIdInodes }, { inode, body }, call) => {
  const reply = await fileSystem.getAttributes({ inode, handle: decodeGetAttributesHandle(body) }, call);
  setIdInodes.note(inode, reply.attributes);
  return encodeAttributes(reply);
};

export const setAttributes: FuseOperation = async ({ fileSystem, setIdInodes }, { inode, body }, call) => {
  const { changes, handle } = decodeSetAttributes(body);
  const reply = await fileSystem.setAttributes({ inode, changes, handle }, call);
  setIdInodes.note(inode, reply.attributes);
  return encodeAttributes(reply);
};

export const access: FuseOperation = async ({ fileSystem }, { inode, body }, call) => {
  await fileSystem.access({ inode, mask: body.readUInt32LE(0) }, call);
  return encodeEmpty();
};

export const statistics: FuseOperation = async ({ fileSystem }, _request, call) =>
  encodeStatistics(await fileSystem.statistics(call));

/**
 * Access control lists and SELinux labels: `ls -l` asks for them for every file, until it hears that they are not supported. The
 * driver says so itself, without asking the file system.
 */
export function isUnsupportedAttribute(name: string): boolean {
  return name.startsWith('system.posix_acl_') || name === 'security.selinux';
}

/** `fuse_getxattr_in`, name. */
export const getExtendedAttribute: FuseOperation = ({ fileSystem }, { inode, body }, call) => {
  const size = body.readUInt32LE(0);
  const name = readString(body, 8);
  if (name === undefined) throw new FsError('ENODATA', 'getxattr: the name is not UTF-8');
  if (isUnsupportedAttribute(name)) throw new FsError('EOPNOTSUPP', `getxattr: ${name} is not kept`);
  return fileSystem
    .getExtendedAttribute({ inode, name }, call)
    .then((value) => replyWithin(size, value, 'getxattr'));
};

/** `fuse_getxattr_in`. The names are each followed by a NUL. */
export const listExtendedAttributes: FuseOperation = async ({ fileSystem }, { inode, body }, call) => {
  const size = body.readUInt32LE(0);
  const names = await fileSystem.listExtendedAttributes({ inode }, call);
  return replyWithin(size, Buffer.from(names.map((name) => `${name}\0`).join('')), 'listxattr');
};

/** getxattr(2): a size of 0 asks how much room the value needs. */
function replyWithin(size: number, value: Uint8Array, operation: string): FuseReply {
  if (size === 0) return encodeCount(value.length);
  if (value.length > size) throw new FsError('ERANGE', `${operation}: the buffer is too small`);
  return encodeBytes(value);
}

/** `fuse_setxattr_in` in its short form (FUSE_SETXATTR_EXT is not asked for), name, value. */
export const setExtendedAttribute: FuseOperation = async ({ fileSystem }, { inode, body }, call) => {
  const size = body.readUInt32LE(0);
  const flags = body.readUInt32LE(4);
  const name = readString(body, 8);
  if (name === undefined) throw new FsError('EILSEQ', 'setxattr: the name is not UTF-8');
  if (isUnsupportedAttribute(name)) throw new FsError('EOPNOTSUPP', `setxattr: ${name} is not kept`);
  const valueStart = stringEnd(body, 8) + 1;
  if (valueStart + size > body.length) throw new RangeError('setxattr: less data than announced');
  const value = Buffer.from(body.subarray(valueStart, valueStart + size));
  const mode =
    flags === protocol.xattrCreate ? 'create' : flags === protocol.xattrReplace ? 'replace' : 'either';
  await fileSystem.setExtendedAttribute({ inode, name, value, mode }, call);
  return encodeEmpty();
};

export const removeExtendedAttribute: FuseOperation = async ({ fileSystem }, { inode, body }, call) => {
  const name = readString(body, 0);
  if (name === undefined) throw new FsError('ENODATA', 'removexattr: the name is not UTF-8');
  await fileSystem.removeExtendedAttribute({ inode, name }, call);
  return encodeEmpty();
};
