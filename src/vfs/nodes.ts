/**
 * What the mount knows of the files, directories and symlinks that the kernel knows, that are open, or that hold
 * something the bucket lacks. Keys follow from the chain of parents, so that a directory is renamed by moving one node.
 *
 * Several parts of the file system change a node. What holds for it at the end of every turn, and `node-invariants.ts` checks in
 * the tests, the model of the file system among them:
 *
 * | field | set by | what holds with it |
 * |---|---|---|
 * | `parent`, `name` | InodeTable | a node that is not removed is its parent's child of this name |
 * | `isRemoved` | InodeTable.remove | it has no name; it stays known while the kernel or a program holds it |
 * | `isOutdated`, `generation` | supersede | it is removed, and handles that were open before see ESTALE |
 * | `info` | NodeFinder, StoredRecords, NodeStorer, LostRace | the object under the file's key; without it the file is new and has a `content` |
 * | `content` | FileContents | made with the first change; while it is clean it has the version that `info` says. Of a removed file that is open it has all the bytes |
 * | `creation` | EntryMaker, until StoredRecords | the file is not in the bucket yet |
 * | `isUnreadable` | NodeFinder | nothing of it waits to be stored |
 * | `hasUnstoredAttributes` | WriteBack, NodeStorer | it is scheduled, or goes along with its content: see `WriteBack.checkInvariants` |
 * | `changes`, `storedChanges`, `lastChange` of a handle | FileOperations, NodeStorer | none is ahead of `changes` |
 * | `openings`, `isLeaving` | Openings | while it is leaving, no new open gets a handle |
 * | `handles` | OpenFiles | each is of this file, and no younger than its generation |
 * | `pageEtag` | OpenFiles, readLinkTarget, StoredRecords | what the kernel's pages belong to: another version gets another inode |
 * | `listing`, `marker` of a directory | Resolver, StoredRecords | they are of its prefix: a directory that moves loses them |
 * | `lookups` | NodeReplies, `forget` | never negative; with `pins`, `handles`, `content` and children it keeps the node |
 */
import type { ReadStream } from '../cache/block-reader.js';
import type { StagedFile } from '../staging/staged-file.js';
import type { InodeId } from '../file-system.js';
import type { ObjectInfo } from '../object-store.js';
import type { ObjectVersion } from '../object-version.js';
import type { DirectoryListing } from './directory-listing.js';
import { lockRanks } from '../concurrency/lock-order.js';
import { Mutex } from '../concurrency/mutex.js';
import type { StoredAttributes } from './stored-attributes.js';

interface NodeOptions {
  readonly id: InodeId;
  readonly parent: DirectoryNode | undefined;
  readonly name: string;
  readonly attributes: StoredAttributes;
  readonly validatedAtMs: number;
}

abstract class BaseNode {
  readonly id: InodeId;
  /** Undefined for the root only. A removed node keeps its last parent. */
  parent: DirectoryNode | undefined;
  name: string;
  attributes: StoredAttributes;
  /** `attributes` has something that the bucket lacks. */
  hasUnstoredAttributes = false;
  /** On the monotonic clock: when the bucket was last known to hold this. */
  validatedAtMs: number;
  /**
   * The object, or the directory's marker, is there but could not be read when it was looked up, for good or for a moment: what is
   * shown of it is made up, and must not be stored.
   */
  isUnreadable = false;
  /** How often the kernel holds this inode: lookups less forgets. */
  lookups = 0;
  /** st_ino, where it is not that of the key: it was moved or removed, or another such node has the key's. */
  ownNumber: bigint | undefined;
  /** No longer has a name: unlinked, replaced, or gone from the bucket. */
  isRemoved = false;
  /**
   * Another client has replaced or removed what this was: the kernel, told ESTALE, looks the name up again. It keeps the pages
   * and the size of the version that it was for those who have that open, and cannot mix them with another's.
   */
  isOutdated = false;
  /** Reasons beside the kernel's to keep the node: operations and write-backs under way. */
  pins = 0;
  /** Held while the object is stored, moved or removed. The order of locks is in `moves.ts`. */
  readonly lock = new Mutex(lockRanks.node);

  constructor(options: NodeOptions) {
    this.id = options.id;
    this.parent = options.parent;
    this.name = options.name;
    this.attributes = options.attributes;
    this.validatedAtMs = options.validatedAtMs;
  }

  /** The key of the object, or of the directory's marker. */
  abstract get key(): string;
}

const nothing: ReadonlySet<never> = new Set();

/** A regular file or a symlink: one object. */
export class FileNode extends BaseNode {
  readonly kind = 'file';
  /** The object as last seen or stored; undefined while a new file is not yet in the bucket. */
  info: ObjectInfo | undefined;
  /** Present while the file is open or has changes to upload. */
  content: StagedFile | undefined;
  /** Counts the times somebody else replaced the object: a handle opened before sees ESTALE, never mixed bytes. */
  generation = 0;
  /** The ETag that the kernel's pages belong to. */
  pageEtag: string | undefined;
  /** Counts what programs change in the content: each time not before the turn in which the bytes are staged. */
  changes = 0;
  /** How many of them are in the bucket. */
  storedChanges = 0;
  /**
   * A file made here that the bucket has not seen: when, on the monotonic clock, and whether the caller meant to replace what is
   * there.
   */
  creation: { readonly atMs: number; readonly replaces: boolean } | undefined;
  /**
   * Its object is about to go, by unlink or by a rename over it, and what the open handles need has been fetched. An open that begins
   * now waits for the lock, since nothing more would be fetched.
   */
  isLeaving = false;
  /** The attributes that went along with the last upload. */
  sentAttributes: StoredAttributes | undefined;
  /** A symlink's target, of the version `etag`. */
  linkTarget: { readonly etag: string; readonly target: string } | undefined;
  /** Made when there is something in them: a set takes as much memory as the rest of the node. */
  #handles: Set<FileHandle> | undefined;
  #openings: Set<Promise<void>> | undefined;
  #placing: Mutex | undefined;

  constructor(options: NodeOptions & { readonly info: ObjectInfo | undefined }) {
    super(options);
    this.info = options.info;
  }

  get key(): string {
    return (this.parent?.prefix ?? '') + this.name;
  }

  /**
   * Held while an object is about to appear under the key, or is moved away from it: also by what must be stored for those who read
   * and write, and do not hold `lock`.
   */
  get placing(): Mutex {
    return (this.#placing ??= new Mutex(lockRanks.place));
  }

  get handles(): ReadonlySet<FileHandle> {
    return this.#handles ?? nothing;
  }

  addHandle(handle: FileHandle): void {
    this.#handles = withAdded(this.#handles, handle);
  }

  removeHandle(handle: FileHandle): void {
    this.#handles = withRemoved(this.#handles, handle);
  }

  /** The opens that are asking the bucket for the version. A removal of the object lets them finish first. */
  get openings(): ReadonlySet<Promise<void>> {
    return this.#openings ?? nothing;
  }

  addOpening(opening: Promise<void>): void {
    this.#openings = withAdded(this.#openings, opening);
  }

  removeOpening(opening: Promise<void>): void {
    this.#openings = withRemoved(this.#openings, opening);
  }

  get size(): number {
    return this.content?.size ?? this.info?.size ?? 0;
  }

  /** Something was written, or the file was made, and the bucket does not have it. */
  get hasUnstoredContent(): boolean {
    return this.content?.isDirty === true;
  }

  /** What is here is newer than what the bucket would tell of the file: it is not to be asked. */
  get isAheadOfBucket(): boolean {
    return this.info === undefined || this.hasUnstoredContent;
  }

  /** What the bucket has of this file, as far as it is known here. */
  get version(): ObjectVersion | undefined {
    return this.content ? this.content.base : this.info;
  }
}

function withAdded<T>(set: Set<T> | undefined, item: T): Set<T> {
  return (set ?? new Set<T>()).add(item);
}

/** Undefined when nothing is left. */
function withRemoved<T>(set: Set<T> | undefined, item: T): Set<T> | undefined {
  set?.delete(item);
  return set?.size === 0 ? undefined : set;
}

export class DirectoryNode extends BaseNode {
  readonly kind = 'directory';
  /** The live nodes below, by name. */
  readonly children = new Map<string, FileNode | DirectoryNode>();
  /**
   * The marker object; undefined if there is none, 'unknown' if nobody has looked, 'inaccessible' if it is there and may not be read,
   * or may not be made.
   */
  marker: ObjectInfo | undefined | 'unknown' | 'inaccessible' = 'unknown';
  listing: DirectoryListing | undefined;
  /** Names looked up one by one since the last listing: many make a listing worth its while. */
  lookupsSinceListing = 0;
  /** Has too many entries to be listed only for looking up names. */
  isLarge = false;
  /** While everything below gets new keys: operations below wait for it. */
  moving: DirectoryMove | undefined;
  readonly #rootPrefix: string;
  #namesToAsk: Set<string> | undefined;
  #nameChanges: Set<Promise<void>> | undefined;

  /** `rootPrefix`: for the root, what the mount's keys begin with ('' or ending in '/'). */
  constructor(options: NodeOptions & { readonly rootPrefix?: string }) {
    super(options);
    this.#rootPrefix = options.rootPrefix ?? '';
  }

  /** The next look-up of this name must tell what the bucket has then, whatever a listing says. */
  askAtNextLookup(name: string): void {
    this.#namesToAsk = withAdded(this.#namesToAsk, name);
  }

  /** Whether this is that look-up. */
  mustAskFor(name: string): boolean {
    const mustAsk = this.#namesToAsk?.has(name) === true;
    if (mustAsk) this.#namesToAsk = withRemoved(this.#namesToAsk, name);
    return mustAsk;
  }

  /** Entries that are being made, moved or removed: a rename of the directory waits for them. They never reject. */
  get nameChanges(): ReadonlySet<Promise<void>> {
    return this.#nameChanges ?? nothing;
  }

  addNameChange(change: Promise<void>): void {
    this.#nameChanges = withAdded(this.#nameChanges, change);
  }

  removeNameChange(change: Promise<void>): void {
    this.#nameChanges = withRemoved(this.#nameChanges, change);
  }

  /** What the keys of the entries begin with: '' or ending in '/'. */
  get prefix(): string {
    return this.parent === undefined ? this.#rootPrefix : `${this.parent.prefix}${this.name}/`;
  }

  get key(): string {
    return this.prefix;
  }
}

export type Node = FileNode | DirectoryNode;

/** The rename of a directory. */
export interface DirectoryMove {
  /** Never rejects. */
  readonly done: Promise<void>;
  /** It has all locks that it needs, so that it waits for nobody any more. */
  isExclusive: boolean;
}

/** One open(2) of a file. */
export interface FileHandle {
  readonly node: FileNode;
  readonly canRead: boolean;
  readonly canWrite: boolean;
  readonly stream: ReadStream;
  /** The node's generation at open. */
  generation: number;
  /** The number of its last change, 0 if there is none: what is not stored of it, its close has to store. */
  lastChange: number;
}

/** Counts a change that was made through this handle. */
export function countChange(handle: FileHandle): void {
  handle.node.changes += 1;
  handle.lastChange = handle.node.changes;
}

/** Whether the bucket may lack something that was changed through this handle. */
export function hasUnstoredChanges({ node, lastChange }: FileHandle): boolean {
  return lastChange > node.storedChanges;
}

/** Every directory above `node`, nearest first. */
export function* ancestorsOf(node: Node): Generator<DirectoryNode> {
  for (let parent = node.parent; parent; parent = parent.parent) yield parent;
}

/** Every live file at or below `node`. */
export function* filesBelow(node: Node): Generator<FileNode> {
  for (const below of nodesBelow(node)) if (below.kind === 'file') yield below;
}

/** `node` and every live node below. */
export function* nodesBelow(node: Node): Generator<Node> {
  yield node;
  if (node.kind === 'directory') for (const child of node.children.values()) yield* nodesBelow(child);
}

/** Holds the locks of all these files, taken in the order of their ids. */
export async function lockFiles(
  files: readonly FileNode[],
  signal: AbortSignal,
  action: () => Promise<void>,
): Promise<void> {
  const inOrder = files.toSorted((a, b) => a.id - b.id);
  const lockFrom = (index: number): Promise<void> => {
    const file = inOrder[index];
    return file ? file.lock.run(() => lockFrom(index + 1), signal) : action();
  };
  await lockFrom(0);
}
