/** `osirisfs doctor`: prints a line for each check: what is right, what is wrong, and what to do about it. */
import { parseBucket } from '../../settings/config.js';
import { systemFuseSupport } from '../../mount/fuse-support.js';
import { silentLog } from '../../log.js';
import { limitCoreDumps } from '../../native/limit-core-dumps.js';
import { readConnectionSettings } from '../bucket-options.js';
import { UsageError } from '../command-errors.js';
import { switchOf, textOf, type ParsedArguments } from '../command-line.js';
import { explainError } from '../explain-error.js';
import { withStopSignal } from '../stop-signal.js';
import { announce, announceText } from '../terminal.js';
import { runChecks, type NamedFinding } from './checks.js';
import { programCheck } from './program-check.js';
import { serverChecks } from './server-checks.js';
import { systemChecks } from './system-checks.js';

const maxSockets = 4;

/** Resolves with the exit code. */
export async function runDoctor(parsed: ParsedArguments): Promise<number> {
  const bucketText = textOf(parsed, 'bucket');
  if (bucketText === '') throw new UsageError('BUCKET is empty');
  const { bucket, prefix } =
    bucketText === undefined ? { bucket: undefined, prefix: '' } : parseBucket(bucketText);
  const isJson = switchOf(parsed, 'json') ?? false;
  const { keyFiles, ...settings } = await readConnectionSettings(parsed, { withKeyFile: true });
  const { devicePath, searchPath } = systemFuseSupport();
  const system = systemChecks({
    filesystemsFile: '/proc/filesystems',
    devicePath,
    searchPath,
    fuseConfFile: '/etc/fuse.conf',
    nodeVersion: process.version,
    isRoot: process.getuid?.() === 0,
    loadNative: () => Promise.resolve().then(limitCoreDumps),
  });
  const program = programCheck(process.argv[1] ?? process.execPath);
  const server = serverChecks({
    connection: { ...settings, maxSockets, log: silentLog },
    bucket,
    prefix,
    keyFiles,
    mayWrite: switchOf(parsed, 'write') ?? false,
    log: silentLog,
    now: () => new Date(),
  });
  try {
    const describe = (error: unknown): string => explainError(error).line;
    const findings = await withStopSignal((signal) =>
      runChecks([...system, program, ...server.checks], signal, describe, (finding) => {
        if (!isJson) announce(lineOf(finding));
      }),
    );
    if (isJson) announceText(JSON.stringify(findings, undefined, 2));
    return findings.some(({ verdict }) => verdict === 'failed') ? 1 : 0;
  } finally {
    server.close();
  }
}

const verdictWidth = 'not checked'.length + 2;
const nameWidth = 'customer key'.length + 2;

function lineOf({ name, verdict, text }: NamedFinding): string {
  return `${verdict.padEnd(verdictWidth)}${name.padEnd(nameWidth)}${text}`;
}
