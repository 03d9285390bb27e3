/** Builds the parts of a file system, each with what it uses. */
import type { BlockReader } from '../cache/block-reader.js';
import { ObjectInfoCache } from './object-info-cache.js';
import type { StagingArea } from '../staging/staging-area.js';
import type { Limiter } from '../concurrency/limiter.js';
import type { KernelCaches } from '../file-system.js';
import type { Log } from '../log.js';
import type { ObjectStore } from '../object-store.js';
import { systemClock, type Clock } from '../clock.js';
import { DirectoryMarkers } from './directory-markers.js';
import { DirectoryRenamer } from './directory-renamer.js';
import { DirectoryUpkeep } from './directory-upkeep.js';
import { EntryMaker } from './entry-maker.js';
import { DirectoryReader } from './directory-reader.js';
import { ExtendedAttributeOperations } from './extended-attribute-operations.js';
import { noExtendedAttributes } from './extended-attributes.js';
import { FileContents } from './file-contents.js';
import { FileRenamer } from './file-renamer.js';
import { Freshness } from './freshness.js';
import { FileOperations } from './file-operations.js';
import { IdleInodes } from './idle-inodes.js';
import { InodeTable } from './inode-table.js';
import type { KnownParts } from './known-parts.js';
import { KnownMarkers } from './known-markers.js';
import { ListedDirectories } from './listed-directories.js';
import { typeDirectory } from './modes.js';
import { NodeFinder } from './node-finder.js';
import { NodeReplies } from './node-replies.js';
import { NodeStorer } from './node-storer.js';
import { defaultRewriteBytes, ObjectRewriter } from './object-rewriter.js';
import { OpenFiles } from './open-files.js';
import { Openings } from './openings.js';
import { Remover } from './remover.js';
import { Renamer } from './renamer.js';
import { Reopenings } from './reopenings.js';
import { Resolver } from './resolver.js';
import { type AttributeDefaults, type StoredAttributes } from './stored-attributes.js';
import type { StoringParts } from './storing-parts.js';
import type { WorkingParts } from './working-parts.js';
import { StoredRecords } from './stored-records.js';
import { Superseder } from './superseder.js';
import { VersionCheck } from './version-check.js';
import { WriteBack } from './write-back.js';

/**
 * Asked before what is stored under `key` is changed, other than by its deletion: rejects, with a StoreError, if that would not be
 * encrypted; undefined if it is known that it would be.
 */
type ProveEncryption = (key: string, signal: AbortSignal) => Promise<void> | undefined;

export interface BucketFileSystemOptions {
  readonly store: ObjectStore;
  readonly reader: BlockReader;
  readonly area: StagingArea;
  readonly uploads: Limiter;
  /** '' or ending in '/': only keys below it are seen. */
  readonly prefix: string;
  /** What objects without attributes of their own show. */
  readonly defaults: AttributeDefaults;
  /** How old knowledge of names and attributes may be; 0 asks every time. */
  readonly metadataTtlMs: number;
  /** How long it is believed that a name is not there; default 1 s. */
  readonly negativeTtlMs?: number;
  readonly isReadOnly: boolean;
  /** Default: all is. */
  readonly proveEncryption?: ProveEncryption;
  /** How long changed attributes of stored objects wait for more changes; default 500 ms. */
  readonly attributeDelayMs?: number;
  /** Objects of up to this size are sent again instead of copied on the server; default 64 KiB. */
  readonly rewriteBytes?: number;
  /** The most zeros that a file is extended by between two times that it is stored; default: any number. */
  readonly maxHoleBytes?: number;
  /** What the root shows for its times; default now. */
  readonly rootTimeNs?: bigint;
  /** The attributes of objects that are remembered; default: of 150,000. */
  readonly infos?: ObjectInfoCache;
  /** The listings that are remembered; default: of 300,000 entries. */
  readonly listed?: ListedDirectories;
  /** How many inodes the kernel may know before it is told to forget idle ones; default 200,000. */
  readonly maxKnownInodes?: number;
  readonly clock?: Clock;
  readonly log: Log;
}

/** Of about 600 bytes each. */
export const defaultKnownObjects = 150_000;
/** Of about 300 bytes each. */
export const defaultListedEntries = 300_000;

const defaultNegativeTtlMs = 1000;
const defaultAttributeDelayMs = 500;
/** Of about 2.5 KiB each, with what else is remembered of them. */
const defaultKnownInodes = 200_000;

export type FileSystemParts = ReturnType<typeof buildParts>;

/** From what is known of the bucket, over what is stored, to what programs ask for. `kernel`: it comes and goes with the mount. */
export function buildParts(options: BucketFileSystemOptions, kernel: () => KernelCaches) {
  const { store, reader, area, uploads, defaults, metadataTtlMs, log } = options;
  const clock = options.clock ?? systemClock;

  const infos = options.infos ?? new ObjectInfoCache(defaultKnownObjects);
  const listed = options.listed ?? new ListedDirectories(defaultListedEntries);
  const negativeTtlMs = options.negativeTtlMs ?? defaultNegativeTtlMs;
  const knownMarkers = new KnownMarkers(clock, metadataTtlMs);
  const bucket = { store, reader, infos, listed, knownMarkers, defaults, kernel, clock, log };
  const rootTimeNs = options.rootTimeNs ?? clock.nowNs();
  const inodes = new InodeTable(options.prefix, rootAttributes(defaults, rootTimeNs), clock.monotonicMs());
  const known: KnownParts = {
    ...bucket,
    resolver: new Resolver({ ...bucket, metadataTtlMs, negativeTtlMs }),
    inodes,
    superseder: new Superseder(inodes, reader, log),
    freshness: new Freshness(clock, metadataTtlMs),
  };

  const rewriter = new ObjectRewriter(store, reader, options.rewriteBytes ?? defaultRewriteBytes);
  const records = new StoredRecords(known);
  const maxHoleBytes = options.maxHoleBytes ?? Infinity;
  const storing: StoringParts = {
    ...known,
    rewriter,
    markers: new DirectoryMarkers({ ...known, rewriter }),
    records,
    contents: new FileContents({ ...known, area, uploads, records, maxHoleBytes }),
  };

  const storer = new NodeStorer(storing);
  const attributeDelayMs = options.attributeDelayMs ?? defaultAttributeDelayMs;
  const working: WorkingParts = {
    ...storing,
    finder: new NodeFinder(known),
    upkeep: new DirectoryUpkeep(storing),
    openings: new Openings(storing.contents, new Reopenings(clock)),
    writeBack: new WriteBack({ ...storing, storer, attributeDelayMs }),
  };

  const maxKnown = options.maxKnownInodes ?? defaultKnownInodes;
  const idleInodes = new IdleInodes({ inodes, maxKnown, kernel, log });
  const replies = new NodeReplies({ ...known, idleInodes });
  const openFiles = new OpenFiles(reader, log);
  const versions = new VersionCheck(working);
  const remover = new Remover(working);
  const renamers = {
    files: new FileRenamer({ ...working, remover }),
    directories: new DirectoryRenamer(working),
  };
  return {
    ...working,
    isReadOnly: options.isReadOnly,
    proveEncryption: options.proveEncryption ?? (() => undefined),
    replies,
    openFiles,
    files: new FileOperations({ ...working, files: openFiles, versions }),
    maker: new EntryMaker(working),
    remover,
    renamer: new Renamer({ ...working, ...renamers }),
    directories: new DirectoryReader({ ...working, replies }),
    extended: new ExtendedAttributeOperations(working),
  };
}

function rootAttributes(defaults: AttributeDefaults, timeNs: bigint): StoredAttributes {
  return {
    type: typeDirectory,
    permissions: defaults.directoryPermissions,
    uid: defaults.uid,
    gid: defaults.gid,
    atimeNs: timeNs,
    mtimeNs: timeNs,
    ctimeNs: timeNs,
    hasTimesOfWrite: false,
    extended: noExtendedAttributes,
    otherMetadata: {},
    contentType: undefined,
  };
}
