/**
 * The directory that a get fills. Only what the user has typed may lead through symbolic links: nothing is written through a
 * link whose name comes from the bucket. A file gets its name only when it is complete.
 */
import { randomBytes } from 'node:crypto';
import {
  chmod,
  lstat,
  mkdir,
  open,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  type FileHandle,
} from 'node:fs/promises';
import path from 'node:path';
import { systemErrorCode } from '../errors.js';
import { isShowableName } from '../vfs/names.js';
import type { StoredAttributes } from '../vfs/stored-attributes.js';
import { TransferError } from './transfer-error.js';

/** Set-id bits are not taken from a bucket. */
const maxRestoredPermissions = 0o777;
/**
 * How far a time that was set here may be off. Node takes it as seconds in floating point, which are wrong by up to 0.5 µs before the
 * year 2100, and cuts it to whole microseconds.
 */
const timeToleranceNs = 2_000n;

export interface LocalTreeOptions {
  /** As the user has typed it. */
  readonly destination: string;
  /** The name of the tree in it, from the bucket; '' if the tree is `destination` itself. */
  readonly name: string;
  /** Whether a single fetched file, whose relative path is '', is `destination` itself. */
  readonly isNamedByUser: boolean;
  /** Permission bits that files and directories do not get, umask(2). */
  readonly maskedPermissions: number;
}

export class LocalTree {
  readonly #destination: string;
  readonly #name: string;
  readonly #root: string;
  readonly #singleFile: string;
  readonly #restoredPermissions: number;
  /** By path relative to the root. */
  readonly #directories = new Map<string, Promise<void>>();

  /** Throws a `TransferError` for a name that no entry can have. */
  constructor({ destination, name, isNamedByUser, maskedPermissions }: LocalTreeOptions) {
    if (name !== '' && !isShowableName(name)) throw noName(name);
    this.#destination = destination;
    this.#name = name;
    this.#root = path.join(destination, name);
    this.#singleFile = isNamedByUser ? destination : this.#root;
    this.#restoredPermissions = maxRestoredPermissions & ~maskedPermissions;
  }

  /** Where the entry goes, '' being the root itself. Throws a `TransferError` if that cannot be a path. */
  pathOf(relative: string): string {
    const names = namesOf(relative);
    if (!names.every(isShowableName)) {
      throw noName(relative);
    }
    return path.join(this.#root, ...names);
  }

  /** Whether the file is there with this content's size, time and mode. */
  async hasFile(relative: string, size: number, attributes: StoredAttributes): Promise<boolean> {
    try {
      const stats = await lstat(this.#fileOf(relative), { bigint: true });
      const difference = stats.mtimeNs - attributes.mtimeNs;
      return (
        stats.isFile() &&
        stats.size === BigInt(size) &&
        (difference < 0n ? -difference : difference) <= timeToleranceNs &&
        (Number(stats.mode) & maxRestoredPermissions) === this.#permissionsOf(attributes)
      );
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT' || systemErrorCode(error) === 'ENOTDIR') return false;
      throw error;
    }
  }

  /** Lets `fill` write and read a new file. Then gives it its attributes, flushes it to the disk and gives it its name. */
  async writeFile(
    relative: string,
    attributes: StoredAttributes,
    fill: (file: FileHandle) => Promise<void>,
  ): Promise<void> {
    const target = this.#fileOf(relative);
    await this.#makeParent(relative);
    const temporary = temporaryName(target);
    const file = await open(temporary, 'wx+', 0o600);
    try {
      try {
        await fill(file);
        await file.chmod(this.#permissionsOf(attributes));
        const seconds = secondsOf(attributes.mtimeNs);
        await file.utimes(seconds, seconds);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, target);
    } catch (error) {
      await rm(temporary, { force: true });
      throw systemErrorCode(error) === 'EISDIR' ? isDirectoryThere(target) : error;
    }
  }

  /** If it is there, and a file. */
  async removeFile(relative: string): Promise<void> {
    try {
      const file = this.#fileOf(relative);
      if ((await lstat(file)).isFile()) await rm(file);
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT' && systemErrorCode(error) !== 'ENOTDIR') throw error;
    }
  }

  async makeLink(relative: string, linkTarget: string): Promise<void> {
    const target = this.#fileOf(relative);
    await this.#makeParent(relative);
    const temporary = temporaryName(target);
    await symlink(linkTarget, temporary);
    try {
      await rename(temporary, target);
    } catch (error) {
      await rm(temporary, { force: true });
      throw systemErrorCode(error) === 'EISDIR' ? isDirectoryThere(target) : error;
    }
  }

  makeDirectory(relative: string): Promise<void> {
    const names = namesOf(relative);
    this.pathOf(relative);
    return this.#directory(names);
  }

  /** Call it when everything in it is written. */
  async finishDirectory(relative: string, attributes: StoredAttributes): Promise<void> {
    const directory = this.pathOf(relative);
    const seconds = secondsOf(attributes.mtimeNs);
    await utimes(directory, seconds, seconds);
    await chmod(directory, this.#permissionsOf(attributes));
  }

  #permissionsOf({ permissions }: StoredAttributes): number {
    return permissions & this.#restoredPermissions;
  }

  #fileOf(relative: string): string {
    return relative === '' ? this.#singleFile : this.pathOf(relative);
  }

  async #makeParent(relative: string): Promise<void> {
    if (relative === '') await this.#makeTyped(path.dirname(this.#singleFile));
    else await this.#directory(namesOf(relative).slice(0, -1));
  }

  #directory(names: readonly string[]): Promise<void> {
    const relative = names.join('/');
    let made = this.#directories.get(relative);
    if (made === undefined) {
      made = this.#make(names);
      this.#directories.set(relative, made);
    }
    return made;
  }

  async #make(names: readonly string[]): Promise<void> {
    if (names.length > 0) {
      await this.#directory(names.slice(0, -1));
      await this.#makeNamed(path.join(this.#root, ...names));
      return;
    }
    await this.#makeTyped(this.#destination);
    if (this.#name !== '') await this.#makeNamed(this.#root);
  }

  async #makeTyped(directory: string): Promise<void> {
    await mkdir(directory, { recursive: true });
    if (!(await stat(directory)).isDirectory()) throw new TransferError(`${directory} is not a directory`);
  }

  async #makeNamed(directory: string): Promise<void> {
    try {
      await mkdir(directory);
    } catch (error) {
      if (systemErrorCode(error) !== 'EEXIST') throw error;
      if (!(await lstat(directory)).isDirectory()) throw notADirectory(directory);
    }
  }
}

function noName(name: string): TransferError {
  return new TransferError(`${JSON.stringify(name)} cannot be the name of a file; it is left out`);
}

function notADirectory(directory: string): TransferError {
  return new TransferError(`${directory} is there and not a directory; nothing is written through it`);
}

function isDirectoryThere(target: string): TransferError {
  return new TransferError(`${target} is a directory; the file of that name is left out`);
}

function namesOf(relative: string): readonly string[] {
  return relative === '' ? [] : relative.split('/');
}

function temporaryName(target: string): string {
  return path.join(path.dirname(target), `.${randomBytes(8).toString('hex')}.osirisfs-part`);
}

function secondsOf(timeNs: bigint): number {
  return Number(timeNs) / 1e9;
}
