/** What keeps a directory there when its entries come and go: its marker, and its times. */
import { FsError } from '../errors.js';
import { isStoreError } from './fs-errors.js';
import { keyOfEntry, reservedName } from './names.js';
import { filesBelow, type DirectoryNode } from './nodes.js';
import type { StoringParts } from './storing-parts.js';

type DirectoryUpkeepOptions = Pick<
  StoringParts,
  'store' | 'markers' | 'resolver' | 'records' | 'clock' | 'log'
>;

export class DirectoryUpkeep {
  readonly #options: DirectoryUpkeepOptions;

  constructor(options: DirectoryUpkeepOptions) {
    this.#options = options;
  }

  /** Throws EPERM for the reserved name, ENAMETOOLONG for one that makes too long a key. Returns the key. */
  checkNewName(parent: DirectoryNode, name: string, kind: 'file' | 'directory'): string {
    if (parent.parent === undefined && name === reservedName) {
      throw new FsError('EPERM', `${name}: the name is reserved`);
    }
    if (parent.isRemoved) throw new FsError('ENOENT', `${parent.key}: the directory was removed`);
    return keyOfEntry(parent.prefix, name, kind, this.#options.store.limits.maxKeyBytes);
  }

  /** Entries came or went. Kept here until something else stores the directory's attributes. */
  touch(directory: DirectoryNode): void {
    const now = this.#options.clock.nowNs();
    directory.attributes = { ...directory.attributes, mtimeNs: now, ctimeNs: now };
  }

  /** Stores the marker of a new directory. Rejects with a StoreError, `PreconditionFailed`, if another client has made it. */
  async makeMarker(directory: DirectoryNode, signal: AbortSignal): Promise<void> {
    const { markers, records } = this.#options;
    const { attributes, key } = directory;
    records.recordMarker(directory, await markers.make(key, attributes, signal), attributes);
  }

  /** A directory that only its entries make visible would vanish with the last of them: give it a marker first. */
  async ensureMarker(directory: DirectoryNode, signal: AbortSignal): Promise<void> {
    if (directory.parent === undefined || typeof directory.marker === 'object') return;
    if (directory.marker === 'inaccessible') return;
    if (directory.listing?.marker) return;
    const { resolver, log } = this.#options;
    try {
      await this.makeMarker(directory, signal);
    } catch (error) {
      if (isStoreError(error, 'AccessDenied')) {
        // Removing what is in the directory may be allowed all the same.
        log.debug({ key: directory.key, err: error }, 'the marker of a directory may not be made');
        directory.marker = 'inaccessible';
        return;
      }
      if (!isStoreError(error, 'PreconditionFailed')) throw error;
      // Another client made it, perhaps under another customer key: that it is there is enough.
      const { marker } = await resolver.headMarker(directory.key, signal);
      directory.marker = marker ?? 'inaccessible';
    }
  }

  /** Rejects with ENOTEMPTY unless the directory has nothing but an empty marker, hidden keys included. */
  async requireEmpty(directory: DirectoryNode, signal: AbortSignal): Promise<void> {
    const { store, markers } = this.#options;
    const hasUnstored = [...filesBelow(directory)].some((file) => file.isAheadOfBucket);
    const page = await store.list({ prefix: directory.prefix, maxKeys: 2 }, signal);
    const marker = page.objects.find((object) => object.key === directory.prefix);
    const hasContent = marker !== undefined && marker.size > 0;
    if (hasContent) markers.tell(marker.key, marker.size);
    if (hasUnstored || hasContent || page.objects.some((object) => object !== marker)) {
      throw new FsError('ENOTEMPTY', `${directory.key}: not empty`);
    }
  }
}
