/**
 * Connects the addon with the operations: hands each request of libfuse's threads to its operation, and sends exactly one answer,
 * even if the operation fails. A thread without an answer would hang, and its program too.
 */
import { FsError } from '../errors.js';
import type { Log } from '../log.js';
import { errnoNumber } from './errno.js';
import { FailureLog } from './failure-log.js';
import {
  nativeOperationCount,
  nativeOperationNames,
  type NativeAddon,
  type NativeHandler,
  type NativeOperationName,
  type NativeThread,
} from './fuse-native-addon.js';
import * as codec from './fuse-native-codec.js';
import type { FuseNativeOperations } from './fuse-native-operations.js';

/** What goes to the addon's signal after the thread: the result, 0, a count or a negative errno, and the payload. */
type Answer = readonly [result: number, ...payload: unknown[]];

interface Operation {
  run(operations: FuseNativeOperations, parameters: readonly unknown[]): Promise<Answer>;
  /** What the signal wants beside a negative errno. */
  payloadOfFailure(parameters: readonly unknown[]): readonly unknown[];
}

type AskedOperationName = Exclude<NativeOperationName, 'init'>;

export class FuseNativeBridge {
  readonly #addon: NativeAddon;
  readonly #operations: FuseNativeOperations;
  readonly #failures: FailureLog;
  readonly #onStart: () => void;
  #isOver = false;
  /** At most one for each thread of libfuse. They never reject. */
  readonly #underWay = new Set<Promise<void>>();

  /** `onStart` is called once, when libfuse is ready, before anything is asked. */
  constructor(addon: NativeAddon, operations: FuseNativeOperations, log: Log, onStart: () => void) {
    this.#addon = addon;
    this.#operations = operations;
    this.#failures = new FailureLog(log);
    this.#onStart = onStart;
  }

  /** By the addon's numbers, as its mount wants them. */
  handlers(): { readonly handlers: (NativeHandler | undefined)[]; readonly isImplemented: Uint32Array } {
    const handlers = new Array<NativeHandler | undefined>(nativeOperationCount).fill(undefined);
    const isImplemented = new Uint32Array(nativeOperationCount);
    for (const name of nativeOperationNames) {
      const number = this.#addon[`op_${name}`];
      isImplemented[number] = 1;
      handlers[number] =
        name === 'init'
          ? (thread) => this.#start(thread)
          : (thread, _operation, ...parameters) => {
              const served = this.#serve(name, thread, parameters).finally(() =>
                this.#underWay.delete(served),
              );
              this.#underWay.add(served);
            };
    }
    return { handlers, isImplemented };
  }

  /** Resolves when what is under way now is answered. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  /** From now on every answer is EIO: libfuse cleans up after its last answer, too late for the file system. */
  end(): void {
    this.#isOver = true;
  }

  #start(thread: NativeThread): void {
    try {
      this.#onStart();
      this.#addon.fuse_native_signal_init(thread, 0);
    } catch (error) {
      this.#failures.report('init', error, 'the file system could not be started');
      this.#addon.fuse_native_signal_init(thread, -errnoNumber('EIO'));
    }
  }

  async #serve(
    name: AskedOperationName,
    thread: NativeThread,
    parameters: readonly unknown[],
  ): Promise<void> {
    const operation = operations[name];
    let answer: Answer;
    try {
      if (this.#isOver) throw new FsError('EIO', `${name}: the mount is gone`);
      answer = await operation.run(this.#operations, parameters);
    } catch (error) {
      answer = [-this.#errnoFor(name, error), ...operation.payloadOfFailure(parameters)];
    }
    try {
      this.#addon[`fuse_native_signal_${name}`](thread, ...answer);
    } catch (error) {
      this.#failures.report(name, error, 'libfuse did not take an answer');
    }
  }

  #errnoFor(name: AskedOperationName, error: unknown): number {
    // libfuse does not pass on interrupts, so no caller may get EINTR.
    if (error instanceof FsError && error.code !== 'EINTR') {
      if (!this.#isOver) this.#failures.reportAnswer(name, error);
      return errnoNumber(error.code);
    }
    this.#failures.report(name, error, 'an operation failed for no reason known');
    return errnoNumber('EIO');
  }
}

/** Takes any parameters. The addon is outside input, but its C code is fixed and determines their types. */
type Run<T> = (operations: FuseNativeOperations, ...parameters: never[]) => Promise<T>;

/** An operation with the parameters that the addon passes; 64-bit numbers come in halves, the low one first. */
function operation(run: Run<Answer>, payloadOfFailure: Operation['payloadOfFailure'] = () => []): Operation {
  return {
    run: (operations, parameters) => run(operations, ...(parameters as never[])),
    payloadOfFailure,
  };
}

/** An operation whose answer is only that it worked. */
function plainOperation(run: Run<void>): Operation {
  return operation(async (operations, ...parameters) => {
    await run(operations, ...parameters);
    return [0];
  });
}

const noStat = () => [new Uint32Array(codec.statLength)];
const noDescriptor = () => [0];

const operations: Readonly<Record<AskedOperationName, Operation>> = {
  access: plainOperation((fs, path: string, mask: number) => fs.access(path, mask)),
  statfs: operation(
    async (fs) => [0, codec.encodeStatvfs(await fs.statistics())],
    () => [new Uint32Array(codec.statisticsLength)],
  ),
  getattr: operation(async (fs, path: string) => [0, codec.encodeStat(await fs.attributes(path))], noStat),
  fgetattr: operation(
    async (fs, _path: string, descriptor: number) => [
      0,
      codec.encodeStat(await fs.attributesOfOpen(descriptor)),
    ],
    noStat,
  ),
  flush: plainOperation((fs, _path: string, descriptor: number) => fs.flush(descriptor)),
  fsync: plainOperation((fs, _path: string, _dataOnly: number, descriptor: number) =>
    fs.synchronize(descriptor),
  ),
  fsyncdir: plainOperation((fs, path: string) => fs.synchronizeDirectory(path)),
  readdir: operation(
    async (fs, path: string) => {
      const listed = await fs.list(path);
      const stats = new Map<number, Uint32Array>();
      for (const { type } of listed) if (!stats.has(type)) stats.set(type, codec.encodeType(type));
      return [0, listed.map(({ name }) => name), listed.map(({ type }) => stats.get(type))];
    },
    () => [[], []],
  ),
  truncate: plainOperation((fs, path: string, low: number, high: number) =>
    fs.truncate(path, codec.joinUint64(low, high)),
  ),
  ftruncate: plainOperation((fs, _path: string, descriptor: number, low: number, high: number) =>
    fs.truncateOpen(descriptor, codec.joinUint64(low, high)),
  ),
  utimens: plainOperation((fs, path: string, lowMs: number, highMs: number) =>
    fs.changeTimes(path, codec.decodeTimeNs(lowMs, highMs)),
  ),
  readlink: operation(
    async (fs, path: string) => [0, await fs.readLink(path)],
    () => [''],
  ),
  chown: plainOperation((fs, path: string, uid: number, gid: number) => fs.changeOwner(path, uid, gid)),
  chmod: plainOperation((fs, path: string, mode: number) => fs.changeMode(path, mode)),
  mknod: plainOperation((fs, path: string, mode: number, deviceNumber: number) =>
    fs.makeNode(path, mode, deviceNumber),
  ),
  setxattr: operation(
    async (fs, path: string, name: string, value: Buffer, _position: number, flags: number) => {
      await fs.setExtendedAttribute(path, name, value, flags);
      return [0, value.buffer];
    },
    (parameters) => [arrayBufferOf(parameters[2])],
  ),
  getxattr: operation(
    async (fs, path: string, name: string, room: Buffer) => [
      putInto(room, await fs.getExtendedAttribute(path, name)),
      room.buffer,
    ],
    (parameters) => [arrayBufferOf(parameters[2])],
  ),
  listxattr: operation(
    async (fs, path: string, room: Buffer) => {
      const names = await fs.listExtendedAttributes(path);
      return [putInto(room, Buffer.from(names.map((name) => `${name}\0`).join(''))), room.buffer];
    },
    (parameters) => [arrayBufferOf(parameters[1])],
  ),
  removexattr: plainOperation((fs, path: string, name: string) => fs.removeExtendedAttribute(path, name)),
  open: operation(async (fs, path: string, flags: number) => [0, await fs.open(path, flags)], noDescriptor),
  create: operation(async (fs, path: string, mode: number) => [0, await fs.create(path, mode)], noDescriptor),
  read: operation(
    async (
      fs,
      _path: string,
      descriptor: number,
      target: Buffer,
      _length: number,
      low: number,
      high: number,
    ) => [await fs.read(descriptor, target, codec.joinUint64(low, high)), 0, target.buffer],
    (parameters) => [0, arrayBufferOf(parameters[2])],
  ),
  write: operation(
    async (
      fs,
      _path: string,
      descriptor: number,
      data: Buffer,
      _length: number,
      low: number,
      high: number,
    ) => [await fs.write(descriptor, data, codec.joinUint64(low, high)), 0, data.buffer],
    (parameters) => [0, arrayBufferOf(parameters[2])],
  ),
  release: plainOperation((fs, _path: string, descriptor: number) => fs.release(descriptor)),
  unlink: plainOperation((fs, path: string) => fs.unlink(path)),
  rename: plainOperation((fs, path: string, newPath: string) => fs.rename(path, newPath)),
  link: plainOperation((fs, path: string, newPath: string) => fs.makeLink(path, newPath)),
  symlink: plainOperation((fs, target: string, path: string) => fs.makeSymlink(target, path)),
  mkdir: plainOperation((fs, path: string, mode: number) => fs.makeDirectory(path, mode)),
  rmdir: plainOperation((fs, path: string) => fs.removeDirectory(path)),
};

/** The memory of libfuse behind a buffer, which the signal detaches. */
function arrayBufferOf(parameter: unknown): ArrayBufferLike {
  if (!Buffer.isBuffer(parameter)) throw new TypeError('the addon passed no buffer');
  return parameter.buffer;
}

/** getxattr(2), listxattr(2): returns the length of the value. An empty buffer only asks for it. */
function putInto(room: Buffer, value: Uint8Array): number {
  if (room.length === 0) return value.length;
  if (value.length > room.length) throw new FsError('ERANGE', 'the buffer is too small');
  room.set(value);
  return value.length;
}
