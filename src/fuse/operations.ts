/** The table of requests that the file system answers, and what the session needs to know about each. */
import * as attributes from './attribute-requests.js';
import * as directories from './directory-requests.js';
import * as files from './file-requests.js';
import * as names from './name-requests.js';
import type { FuseOperation } from './operation.js';
import { opcodes } from './protocol.js';

const operations = new Map<number, FuseOperation>([
  [opcodes.lookup, names.lookup],
  [opcodes.getAttributes, attributes.getAttributes],
  [opcodes.setAttributes, attributes.setAttributes],
  [opcodes.readLink, names.readLink],
  [opcodes.makeSymlink, names.makeSymlink],
  [opcodes.makeNode, names.makeNode],
  [opcodes.makeDirectory, names.makeDirectory],
  [opcodes.unlink, names.unlink],
  [opcodes.removeDirectory, names.removeDirectory],
  [opcodes.rename, names.rename],
  [opcodes.rename2, names.rename2],
  [opcodes.link, names.link],
  [opcodes.open, files.open],
  [opcodes.read, files.read],
  [opcodes.write, files.write],
  [opcodes.statistics, attributes.statistics],
  [opcodes.release, files.release],
  [opcodes.synchronize, files.synchronize],
  [opcodes.setExtendedAttribute, attributes.setExtendedAttribute],
  [opcodes.getExtendedAttribute, attributes.getExtendedAttribute],
  [opcodes.listExtendedAttributes, attributes.listExtendedAttributes],
  [opcodes.removeExtendedAttribute, attributes.removeExtendedAttribute],
  [opcodes.flush, files.flush],
  [opcodes.openDirectory, directories.openDirectory],
  [opcodes.readDirectory, directories.readDirectory],
  [opcodes.readDirectoryPlus, directories.readDirectoryPlus],
  [opcodes.releaseDirectory, directories.releaseDirectory],
  [opcodes.synchronizeDirectory, directories.synchronizeDirectory],
  [opcodes.access, attributes.access],
  [opcodes.create, names.create],
  [opcodes.fallocate, files.fallocate],
  [opcodes.seek, files.seek],
  [opcodes.copyFileRange, files.copyFileRange],
]);

/** Undefined for requests that get ENOSYS, which the kernel does not send again. */
export function operationFor(opcode: number): FuseOperation | undefined {
  return operations.get(opcode);
}

const changing = new Set<number>([
  opcodes.setAttributes,
  opcodes.makeSymlink,
  opcodes.makeNode,
  opcodes.makeDirectory,
  opcodes.unlink,
  opcodes.removeDirectory,
  opcodes.rename,
  opcodes.rename2,
  opcodes.link,
  opcodes.open, // may truncate
  opcodes.write,
  opcodes.release,
  opcodes.synchronize,
  opcodes.setExtendedAttribute,
  opcodes.removeExtendedAttribute,
  opcodes.flush,
  opcodes.synchronizeDirectory,
  opcodes.create,
  opcodes.fallocate,
  opcodes.copyFileRange,
]);

/** Whether a request only reads, so that nothing is lost if it is given up. */
export function isReadOnly(opcode: number): boolean {
  return !changing.has(opcode);
}
