/** What an object keeps of a local file: the same as a mount keeps. */
import type { BigIntStats } from 'node:fs';
import type { ObjectHeaders, ObjectInfo } from '../object-store.js';
import { permissionMask } from '../vfs/modes.js';
import { headersOfAttributes, type FileType } from '../vfs/stored-attributes.js';

export function headersOfStats(stats: BigIntStats, type: FileType): ObjectHeaders {
  const attributes = {
    type,
    permissions: Number(stats.mode) & permissionMask,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    atimeNs: stats.atimeNs,
    mtimeNs: stats.mtimeNs,
    ctimeNs: stats.ctimeNs,
    hasTimesOfWrite: false,
    extended: new Map(),
    otherMetadata: {},
    contentType: undefined,
  };
  return headersOfAttributes(attributes, undefined);
}

/** The object was made of a file with this size, mode and time, to the nanosecond. */
export function looksThere(info: ObjectInfo, size: number, { metadata }: ObjectHeaders): boolean {
  return (
    info.size === size &&
    info.metadata['mtime'] === metadata['mtime'] &&
    info.metadata['mode'] === metadata['mode']
  );
}
