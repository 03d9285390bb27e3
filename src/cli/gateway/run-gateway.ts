/** `osirisfs gateway`: an S3 server over a local directory, to try osirisfs and to test it, without a bucket. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { flavorNames, flavors, type FlavorName } from '../../gateway/flavor.js';
import {
  GatewayDirectoryError,
  lockFile,
  readGatewayAccess,
  startGateway,
  type Address,
  type GatewayAccess,
} from '../../gateway/gateway.js';
import { startLogging } from '../logging.js';
import { limitCoreDumps } from '../../native/limit-core-dumps.js';
import { tryLockFile } from '../../native/lock-file.js';
import { logLevels, oneOf, parsePath, type LogLevel } from '../../settings/setting-values.js';
import { CommandError, UsageError } from '../command-errors.js';
import { positionalOf, switchOf, textOf, type ParsedArguments } from '../command-line.js';
import { announce, announceText, quoteForShell } from '../terminal.js';

/** How long requests under way may take to finish when the gateway is stopped. */
const stopGraceMs = 30_000;

interface GatewayDefaults {
  readonly listen: string;
  readonly flavor: FlavorName;
  readonly logLevel: LogLevel;
}

/** Resolves with the exit code when the gateway has been stopped by SIGINT or SIGTERM. */
export async function runGateway(parsed: ParsedArguments, defaults: GatewayDefaults): Promise<number> {
  const directory = parsePath(positionalOf(parsed, 'dir'));
  const listenText = textOf(parsed, 'listen') ?? defaults.listen;
  const https = parseAddress('listen', listenText);
  const httpText = textOf(parsed, 'listen-http');
  const http = httpText === undefined ? undefined : parseAddress('listen-http', httpText);
  const flavor = choiceOf(parsed, 'flavor', flavorNames, defaults.flavor);
  const level = choiceOf(parsed, 'log-level', logLevels, defaults.logLevel);
  try {
    if (switchOf(parsed, 'print-env')) {
      announceText(environmentLines(await readGatewayAccess(directory)));
      return 0;
    }
    limitCoreDumps();
    // Listens first: a signal during the start stops the gateway as soon as it is up.
    const stopped = signalToStop();
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const lock = tryLockFile(path.join(directory, lockFile));
    if (lock === undefined) throw new CommandError(`a gateway is running in ${directory} already`);
    const { log } = startLogging({ level });
    const gateway = await startGateway({ directory, flavor, https, http, log });
    const plain = gateway.httpEndpoint === undefined ? '' : ` and ${gateway.httpEndpoint}`;
    announce(
      `osirisfs gateway, for trying and testing only: ${gateway.endpoint}${plain}, as ${flavors[flavor].name}`,
    );
    announce(`certificate authority: ${gateway.authorityFile}`);
    announce(`to reach it: eval "$(osirisfs gateway ${quoteForShell(directory)} --print-env)"`);
    await stopped;
    await gateway.stop(stopGraceMs);
    lock.release();
    return 0;
  } catch (error) {
    throw explain(error, directory);
  }
}

function signalToStop(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}

function environmentLines({ endpoint, accessKey, authorityFile }: GatewayAccess): string {
  const authority = quoteForShell(authorityFile);
  return [
    'unset AWS_PROFILE AWS_DEFAULT_PROFILE AWS_SESSION_TOKEN AWS_ENDPOINT_URL_S3',
    `export AWS_ACCESS_KEY_ID=${quoteForShell(accessKey.accessKeyId)}`,
    `export AWS_SECRET_ACCESS_KEY=${quoteForShell(accessKey.secretAccessKey)}`,
    `export AWS_ENDPOINT_URL=${quoteForShell(endpoint)}`,
    `export AWS_CA_BUNDLE=${authority}`,
    `export NODE_EXTRA_CA_CERTS=${authority}`,
  ].join('\n');
}

/** `HOST:PORT` or `[IPV6]:PORT`. */
function parseAddress(option: string, text: string): Address {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || !(port <= 65_535)) {
    throw new UsageError(`--${option}: ${JSON.stringify(text)} is not HOST:PORT like 127.0.0.1:8443`);
  }
  return { host, port };
}

function choiceOf<T extends string>(
  parsed: ParsedArguments,
  option: string,
  choices: readonly T[],
  byDefault: T,
): T {
  const text = textOf(parsed, option);
  try {
    return text === undefined ? byDefault : oneOf(choices)(text);
  } catch (error) {
    throw new UsageError(`--${option}: ${(error as Error).message}`);
  }
}

/** The message of a system error says enough; its stack says nothing to users. */
function explain(error: unknown, directory: string): unknown {
  if (error instanceof GatewayDirectoryError) return new CommandError(error.message, { cause: error });
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (typeof code !== 'string' || syscall === undefined) return error;
  const message = (error as Error).message;
  return new CommandError(syscall === 'listen' ? message : `${directory}: ${message}`, { cause: error });
}
