/** `osirisfs audit`: finds objects that are not encrypted, or not under a key of the ring. */
import { printable } from '../../printable.js';
import { audit, type AuditSummary, type AuditFinding } from '../../transfer/audit.js';
import { readAccessConfig, requireAnything } from '../bucket-options.js';
import { positionalOf, switchOf, type ParsedArguments } from '../command-line.js';
import { exitFailure } from '../explain-error.js';
import { printFromBucket } from '../with-bucket.js';

/** Resolves with the exit code. */
export async function runAudit(parsed: ParsedArguments): Promise<number> {
  const config = await readAccessConfig(parsed, positionalOf(parsed, 'bucket'));
  const isJson = switchOf(parsed, 'json') ?? false;
  // A reader that stops early has not seen all findings.
  return await printFromBucket(config, exitFailure, async (store, output, signal) => {
    const { prefix, maxConnections } = config;
    const onFinding = (finding: AuditFinding): Promise<void> =>
      output.write(isJson ? JSON.stringify(finding) : findingLine(finding));
    const concurrency = 2 * maxConnections;
    const summary = await audit({ store, prefix, concurrency, onFinding }, signal);
    if (summary.objects === 0) requireAnything(config);
    const lines = isJson ? [JSON.stringify({ summary })] : summaryLines(summary);
    for (const line of lines) await output.write(line);
    return summary.notEncrypted + summary.unknownKey + summary.notReadable > 0 ? exitFailure : 0;
  });
}

function findingLine({ key, problem, message }: AuditFinding): string {
  return `${problem.padEnd('not-encrypted'.length)}  ${printable(key)}${message === undefined ? '' : `  (${message})`}`;
}

function summaryLines(summary: AuditSummary): string[] {
  const { objects, bytes, encrypted, notEncrypted, unknownKey, notReadable } = summary;
  return [
    `${objects} objects, ${bytes} bytes`,
    ...Object.entries(encrypted).map(([fingerprint, count]) => `${count} encrypted under ${fingerprint}`),
    `${notEncrypted} not encrypted`,
    `${unknownKey} under unknown keys`,
    ...(notReadable > 0 ? [`${notReadable} could not be asked for`] : []),
  ];
}
