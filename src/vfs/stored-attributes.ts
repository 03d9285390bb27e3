/**
 * Attributes as they are kept in an object's user metadata, in the form that s3fs reads and writes, and rclone but for the mode, of
 * which it writes the octal digits: `mode`, `uid`, `gid` in decimal, `mtime`, `ctime`, `atime` as seconds with nine digits of nanoseconds.
 */
import { keptOf } from '../object-headers.js';
import type { Metadata, ObjectHeaders, ObjectInfo } from '../object-store.js';
import {
  decodeExtendedAttributes,
  encodeExtendedAttributes,
  extendedAttributesName,
} from './extended-attributes.js';
import {
  permissionMask,
  typeBlockDevice,
  typeCharacterDevice,
  typeDirectory,
  typeFifo,
  typeMask,
  typeRegular,
  typeSocket,
  typeSymlink,
} from './modes.js';

/** What has no content: the kernel does all that is done with it. Stored as empty objects, as s3fs does. */
export type SpecialType =
  typeof typeFifo | typeof typeSocket | typeof typeCharacterDevice | typeof typeBlockDevice;

export type FileType = typeof typeRegular | typeof typeDirectory | typeof typeSymlink | SpecialType;

/** What a file, directory or symlink carries beside its content. Immutable: a change makes a new one. */
export interface StoredAttributes {
  readonly type: FileType;
  /** Permission bits and set-id bits, without type bits. */
  readonly permissions: number;
  readonly uid: number;
  readonly gid: number;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  /** mtime and ctime are when this mount wrote the content, and nobody has set the mtime since. */
  readonly hasTimesOfWrite: boolean;
  readonly extended: ReadonlyMap<string, Uint8Array>;
  /** Metadata of other programs: kept as it is. */
  readonly otherMetadata: Metadata;
  readonly contentType: string | undefined;
  /** st_rdev of a device, in the kernel's 32 bits. Absent for everything else; s3fs keeps none. */
  readonly deviceNumber?: number;
}

/** What a mount shows of every file, as s3fs's uid, gid and umask. Absent: as it is stored. What programs set is stored all the same. */
interface AttributeOverrides {
  readonly uid?: number;
  readonly gid?: number;
  /** Without type bits. */
  readonly permissions?: number;
}

/** What objects without metadata of their own show. Permissions have the umask applied. */
export interface AttributeDefaults {
  readonly uid: number;
  readonly gid: number;
  readonly filePermissions: number;
  readonly directoryPermissions: number;
  /** What all objects show, whatever they say. Default: nothing. */
  readonly overrides?: AttributeOverrides;
}

type ShownAttributes = Pick<StoredAttributes, 'uid' | 'gid' | 'permissions'>;

/** What the kernel and programs see of the stored attributes. */
export function shownAttributes(
  { uid, gid, permissions }: ShownAttributes,
  { overrides }: Pick<AttributeDefaults, 'overrides'>,
): ShownAttributes {
  return { uid, gid, permissions, ...overrides };
}

const directoryContentType = 'application/x-directory';
export const maxNanoseconds = (1n << 63n) - 1n;

/** st_mode has 16 bits. */
const maxMode = 0xffff;
const nanosecondsPerSecond = 1_000_000_000n;
const ownNames = new Set(['mode', 'uid', 'gid', 'mtime', 'ctime', 'atime', 'rdev', extendedAttributesName]);

/** The attributes of an object. `isDirectory`: it is a directory's marker, whatever its mode says. */
export function attributesOfObject(
  info: Pick<ObjectInfo, 'metadata' | 'contentType' | 'lastModifiedMs'> &
    Partial<Pick<ObjectInfo, 'size' | 'writtenAtNs'>>,
  isDirectory: boolean,
  defaults: AttributeDefaults,
): StoredAttributes {
  const { metadata } = info;
  const mode = decodeMode(metadata['mode'], isDirectory);
  const type = isDirectory ? typeDirectory : storedTypeOf(mode, info.size ?? 0);
  const deviceNumber = isDevice(type) ? (decodeInteger(metadata['rdev']) ?? 0) : undefined;
  const mtimeNs = decodeTime(metadata['mtime']) ?? info.writtenAtNs ?? timeOfStoring(info.lastModifiedMs);
  return {
    type,
    permissions:
      mode === undefined
        ? type === typeDirectory
          ? defaults.directoryPermissions
          : defaults.filePermissions
        : mode & permissionMask,
    uid: decodeInteger(metadata['uid']) ?? defaults.uid,
    gid: decodeInteger(metadata['gid']) ?? defaults.gid,
    mtimeNs,
    ctimeNs: decodeTime(metadata['ctime']) ?? mtimeNs,
    atimeNs: decodeTime(metadata['atime']) ?? mtimeNs,
    hasTimesOfWrite: false,
    extended: decodeExtendedAttributes(metadata[extendedAttributesName]),
    otherMetadata: Object.fromEntries(Object.entries(metadata).filter(([name]) => !ownNames.has(name))),
    contentType: info.contentType,
    ...(deviceNumber !== undefined && { deviceNumber }),
  };
}

/** What has content is a file that can be read, whatever else its mode says. */
function storedTypeOf(mode: number | undefined, size: number): FileType {
  const type = (mode ?? 0) & typeMask;
  if (type === typeSymlink) return type;
  return isSpecialType(type) && size === 0 ? type : typeRegular;
}

export function isSpecialType(type: number): type is SpecialType {
  return type === typeFifo || type === typeSocket || isDevice(type);
}

function isDevice(type: number): type is typeof typeCharacterDevice | typeof typeBlockDevice {
  return type === typeCharacterDevice || type === typeBlockDevice;
}

/** The headers that keep `attributes` with an object. `replaced`: the object that it was so far, of which other headers are kept. */
export function headersOfAttributes(
  attributes: StoredAttributes,
  replaced: ObjectInfo | undefined,
): ObjectHeaders {
  const metadata: Record<string, string> = {
    ...attributes.otherMetadata,
    mode: String(attributes.type | attributes.permissions),
    uid: String(attributes.uid),
    gid: String(attributes.gid),
    mtime: encodeTime(attributes.mtimeNs),
    ctime: encodeTime(attributes.ctimeNs),
    atime: encodeTime(attributes.atimeNs),
  };
  if (attributes.deviceNumber !== undefined) metadata['rdev'] = String(attributes.deviceNumber);
  if (attributes.extended.size > 0) {
    metadata[extendedAttributesName] = encodeExtendedAttributes(attributes.extended);
  }
  const contentType = attributes.type === typeDirectory ? directoryContentType : attributes.contentType;
  return { metadata, ...(contentType !== undefined && { contentType }), ...keptOf(replaced) };
}

/**
 * Those of an upload that begins before the last write, if the times are those of writes: an object without them shows when it
 * was stored, here and in other programs. The right ones would cost a copy of all of it afterwards.
 */
export function withoutTimesOfWrite(headers: ObjectHeaders): ObjectHeaders {
  const metadata = { ...headers.metadata };
  delete metadata['mtime'];
  delete metadata['ctime'];
  return { ...headers, metadata };
}

/**
 * `info` with what this mount knows better of an object that does not say when it was written: then, if that is later than the second in
 * which it was stored. Otherwise a file would become older than one that it was made of.
 */
export function withTimeOfWrite(info: ObjectInfo, writtenAtNs: bigint): ObjectInfo {
  const isKnown = info.metadata['mtime'] !== undefined || writtenAtNs <= timeOfStoring(info.lastModifiedMs);
  return isKnown ? info : { ...info, writtenAtNs };
}

/** In whole seconds, as HEAD tells it: listings tell more. */
function timeOfStoring(lastModifiedMs: number): bigint {
  return BigInt(Math.floor(lastModifiedMs / 1000)) * nanosecondsPerSecond;
}

/** Bytes of user metadata as servers count them: names and values. */
export function metadataBytes(metadata: Metadata): number {
  return Object.entries(metadata).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
}

/** Seconds with nine digits: s3fs reads the digits as a count of nanoseconds, rclone as a fraction. */
export function encodeTime(timeNs: bigint): string {
  const sign = timeNs < 0n ? '-' : '';
  const magnitude = timeNs < 0n ? -timeNs : timeNs;
  const fraction = String(magnitude % nanosecondsPerSecond).padStart(9, '0');
  return `${sign}${magnitude / nanosecondsPerSecond}.${fraction}`;
}

/** Undefined if there is no time or it is not one that a stat can hold. A fraction may have any number of digits. */
export function decodeTime(text: string | undefined): bigint | undefined {
  const match = /^(-?)(\d{1,12})(?:\.(\d{1,30}))?$/.exec(text?.trim() ?? '');
  if (!match) return undefined;
  const [, sign = '', seconds = '0', digits = ''] = match;
  const magnitude = BigInt(seconds) * nanosecondsPerSecond + BigInt(digits.slice(0, 9).padEnd(9, '0'));
  if (magnitude > maxNanoseconds) return undefined;
  return sign === '-' ? -magnitude : magnitude;
}

const fileTypes: ReadonlySet<number> = new Set([
  0,
  typeFifo,
  typeCharacterDevice,
  typeDirectory,
  typeBlockDevice,
  typeRegular,
  typeSymlink,
  typeSocket,
]);

/**
 * A st_mode in decimal, or in octal digits: what has more than its 16 bits, or type bits of no type, or of a directory's marker those
 * of another, is none in decimal.
 */
function decodeMode(text: string | undefined, isDirectory: boolean): number | undefined {
  const decimal = decodeInteger(text);
  if (decimal === undefined || text === undefined || !/^[0-7]{1,6}$/.test(text)) return decimal;
  const octal = Number.parseInt(text, 8);
  if (decimal > maxMode || !fileTypes.has(decimal & typeMask)) return octal;
  const isOnlyOctalDirectory = (decimal & typeMask) !== typeDirectory && (octal & typeMask) === typeDirectory;
  return isDirectory && isOnlyOctalDirectory ? octal : decimal;
}

function decodeInteger(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const value = Number(text);
  return value <= 0xffffffff ? value : undefined;
}
