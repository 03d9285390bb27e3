/**
 * What is measured: each contender shows a directory, and is served by a process of its own, or by the kernel alone. All of
 * them work in memory.
 */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { coldDirectories, fileName } from './file-names.js';
import type { BenchmarkOptions, ContenderName } from './options.js';
import { runLimited } from './run-limited.js';
import type { Command } from './server.js';

export interface Contender {
  readonly directory: string;
  /** Undefined if the kernel alone serves it. */
  readonly pid: number | undefined;
  /** Around each job, for profiles. */
  beginJob(name: string): Promise<void>;
  endJob(): Promise<void>;
  /** Unmounts, and resolves when the process has ended in order. */
  stop(): Promise<void>;
}

export interface Surroundings {
  readonly options: BenchmarkOptions;
  /** An empty directory on a tmpfs. */
  readonly work: string;
  readonly passthroughProgram: string;
}

/** The block cache must hold the whole file, and what a block costs beside its bytes. */
const cacheReserve = 1.1;
const limitMs = 60_000;

export async function startContender(name: ContenderName, surroundings: Surroundings): Promise<Contender> {
  const { options, work } = surroundings;
  switch (name) {
    case 'tmpfs':
      return startTmpfs(await makeFiles(work, options.files));
    case 'passthrough':
      return startPassthrough(await makeFiles(work, options.files), surroundings);
    case 'fuse-native':
    case 'osirisfs': {
      const server = fileURLToPath(new URL('server.js', import.meta.url));
      return startServer(server, name, surroundings);
    }
    case 'other': {
      const server = path.join(options.otherBuild ?? '', 'scripts/kernel-benchmark/server.js');
      return startServer(server, name, surroundings);
    }
  }
}

/** The directory on the tmpfs that is shown: with the same cold directories as a server has. */
async function makeFiles(work: string, count: number): Promise<string> {
  const source = path.join(work, 'source');
  for (const name of coldDirectories) {
    await mkdir(path.join(source, name), { recursive: true });
    for (let index = 0; index < count; index += 1) {
      await writeFile(path.join(source, name, fileName(index)), 'content');
    }
  }
  return source;
}

function startTmpfs(source: string): Contender {
  return {
    directory: source,
    pid: undefined,
    beginJob: () => Promise.resolve(),
    endJob: () => Promise.resolve(),
    stop: () => rm(source, { recursive: true }),
  };
}

async function startPassthrough(
  source: string,
  { work, passthroughProgram }: Surroundings,
): Promise<Contender> {
  const directory = await makeMountpoint(work);
  // Pages and attributes are kept as osirisfs keeps them.
  const options = `source=${source},cache=always,timeout=300`;
  const child = spawn(passthroughProgram, ['-f', '-o', options, directory], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = once(child, 'exit');
  await Promise.race([untilMounted(directory), exited.then(failEarly(passthroughProgram))]);
  return {
    directory,
    pid: child.pid,
    beginJob: () => Promise.resolve(),
    endJob: () => Promise.resolve(),
    stop: async () => {
      await unmount(directory, child, exited);
      await rm(source, { recursive: true });
    },
  };
}

async function startServer(
  server: string,
  name: ContenderName,
  { options, work }: Surroundings,
): Promise<Contender> {
  const directory = await makeMountpoint(work);
  const driver = name === 'fuse-native' ? name : 'kernel';
  const child = fork(
    server,
    [
      directory,
      driver,
      String(options.files),
      String(Math.ceil(options.sizeBytes * cacheReserve)),
      ...(options.profileDirectory === undefined ? [] : [options.profileDirectory]),
    ],
    { cwd: '/', execArgv: [], env: { ...process.env, UV_THREADPOOL_SIZE: '24' } },
  );
  const exited = once(child, 'exit');
  const answer = async () => {
    const message = once(child, 'message', { signal: AbortSignal.timeout(limitMs) });
    await Promise.race([message, exited.then(failEarly(server))]);
  };
  const tell = async (command: Command) => {
    child.send(command);
    await answer();
  };
  await answer();
  return {
    directory,
    pid: child.pid,
    beginJob: (job) => tell({ begin: `${name}-${job}` }),
    endJob: () => tell('end'),
    stop: () => unmount(directory, child, exited),
  };
}

async function makeMountpoint(work: string): Promise<string> {
  const directory = path.join(work, 'mountpoint');
  await mkdir(directory, { recursive: true });
  return directory;
}

async function untilMounted(directory: string): Promise<void> {
  const deadlineMs = performance.now() + limitMs;
  while (performance.now() < deadlineMs) {
    const table = await readFile('/proc/self/mountinfo', 'utf8');
    if (table.split('\n').some((line) => line.split(' ')[4] === directory)) return;
    await delay(20);
  }
  throw new Error(`nothing was mounted on ${directory}`);
}

async function unmount(directory: string, child: ChildProcess, exited: Promise<unknown[]>): Promise<void> {
  await runLimited('fusermount3', ['-u', directory], limitMs);
  await Promise.race([exited, delay(limitMs, undefined, { ref: false })]);
  if (child.exitCode !== 0) {
    child.kill('SIGKILL');
    throw new Error(`the process that served ${directory} did not end in order`);
  }
}

function failEarly(program: string): () => never {
  return () => {
    throw new Error(`${program} ended before its time`);
  };
}
