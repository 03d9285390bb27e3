/** Makes a mount known to `osirisfs umount` and `osirisfs status`, and keeps it so. */
import { lstat, utimes } from 'node:fs/promises';
import { guarded } from '../../guarded.js';
import type { Log } from '../../log.js';
import { explainError } from '../explain-error.js';
import { startControlServer, type Controlled, type ControlServer } from './control-server.js';
import {
  entryFile,
  lookMs,
  ownPidNamespace,
  ownSocketPath,
  prepareRegistry,
  removeDeadEntries,
  removeEntry,
  writeRegistryEntry,
  type RegistryEntry,
} from './mount-registry.js';

/** How often the entry's time is renewed: some programs remove files that are days old. */
const refreshMs = 3_600_000;

interface RegistrationOptions {
  readonly mountpoint: string;
  readonly source: string;
  readonly controlled: Controlled;
  readonly log: Log;
  readonly environment: NodeJS.ProcessEnv;
}

/** One look at a time; `stop` waits for it. */
export class Registration {
  readonly #options: RegistrationOptions;
  #server: ControlServer | undefined;
  #entry: RegistryEntry | undefined;
  #refreshedAtMs = 0;
  /** A message for the user in one line; undefined while the mount can be found. */
  #problem: string | undefined;
  #looking: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RegistrationOptions) {
    this.#options = options;
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  /** Resolves when the mount can be found, or `problem` says why not. Tries again every few seconds. */
  async start(): Promise<void> {
    await this.#look();
    const look = (): Promise<void> => (this.#looking = this.#look());
    const failed = (error: unknown): void =>
      this.#options.log.error({ err: error }, 'no look at the registry');
    const next = (): void => {
      this.#timer = setTimeout(
        guarded(async () => {
          await look();
          if (this.#timer !== undefined) next();
        }, failed),
        lookMs,
      ).unref();
    };
    next();
  }

  /** Resolves when the mount can no longer be found, and replies under way are sent. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#looking;
    await this.#withdraw();
  }

  async #look(): Promise<void> {
    if (await this.#isThere()) return;
    if (this.#server?.isInUse) return; // a client waits for the end of this mount
    const { log, mountpoint } = this.#options;
    const isAgain = this.#entry !== undefined;
    try {
      await this.#withdraw();
      await this.#announce();
      if (isAgain)
        log.warn({ mountpoint }, 'what osirisfs umount finds this mount by was removed, and made again');
      else if (this.#problem !== undefined)
        log.info({ mountpoint }, 'osirisfs umount can find this mount now');
      this.#problem = undefined;
    } catch (error) {
      const text = 'osirisfs umount cannot find this mount, and not wait until everything is in the bucket';
      const problem = `${text}: ${explainError(error).line}`;
      if (problem !== this.#problem) log.error({ err: error }, text);
      this.#problem = problem;
    }
  }

  async #isThere(): Promise<boolean> {
    if (this.#entry === undefined) return false;
    const files = [entryFile(this.#entry), this.#entry.socketPath];
    try {
      for (const file of files) await lstat(file);
      const nowMs = performance.now();
      if (nowMs - this.#refreshedAtMs >= refreshMs) {
        const now = new Date();
        for (const file of files) await utimes(file, now, now);
        this.#refreshedAtMs = nowMs;
      }
      return true;
    } catch {
      return false;
    }
  }

  async #announce(): Promise<void> {
    const { mountpoint, source, controlled, log, environment } = this.#options;
    const directory = await prepareRegistry(process.getuid?.() ?? 0, environment);
    await removeDeadEntries(directory);
    const pidNamespace = await ownPidNamespace();
    const socketPath = ownSocketPath(directory, pidNamespace);
    this.#server = await startControlServer(socketPath, controlled, log);
    const entry = { pid: process.pid, pidNamespace, mountpoint, source, socketPath };
    await writeRegistryEntry(entry);
    this.#entry = entry;
    this.#refreshedAtMs = performance.now();
  }

  async #withdraw(): Promise<void> {
    const [entry, server] = [this.#entry, this.#server];
    this.#entry = undefined;
    this.#server = undefined;
    if (entry) await removeEntry(entry);
    await server?.close();
  }
}
