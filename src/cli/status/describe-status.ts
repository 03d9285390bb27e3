/** The state of mounts in words and columns, for `osirisfs status`. Pure. */
import {
  countErrors,
  latencyQuantileMs,
  type MountStatistics,
  type MountStatus,
} from '../../mount-statistics.js';
import { inOneLine, printable } from '../../printable.js';
import { countOf } from '../../units.js';

/** In one line. `now` gives the age of the mount. */
export function describeInOneLine(status: MountStatus, now: Date): string {
  const { mountpoint, source, pid, pendingCount, statistics } = status;
  const errors = statistics ? `, ${countOf(countErrors(statistics), 'error')}` : '';
  const refusal = statistics?.writeRefusal === undefined ? '' : ', refuses to write';
  return (
    `${printable(mountpoint)}  ${printable(source)}  pid ${pid}, for ${ageOf(status, now)}, ` +
    `${pendingCount === 0 ? 'nothing' : countOf(pendingCount, 'file')} pending${errors}${refusal}`
  );
}

/** In full, many lines. */
export function describeInFull(status: MountStatus, now: Date): string {
  const { mountpoint, source, pid, startedAt, pending, pendingCount, pendingReasons, statistics } = status;
  const lines = [
    `${printable(mountpoint)} shows ${printable(source)}`,
    row('process', `${pid}, since ${startedAt} (${ageOf(status, now)})`),
    ...(statistics?.writeRefusal === undefined
      ? []
      : [row('writing', `refused: ${inOneLine(statistics.writeRefusal)}`)]),
    ...(statistics ? describeStatistics(statistics) : []),
    row(
      'pending',
      pendingCount === 0 ? 'nothing: everything is in the bucket' : countOf(pendingCount, 'file'),
    ),
    ...pending.map((path) => `    ${printable(path)}${inBrackets(pendingReasons?.[path])}`),
  ];
  if (pendingCount > pending.length) lines.push(`    and ${pendingCount - pending.length} more`);
  return lines.join('\n');
}

function describeStatistics(statistics: MountStatistics): string[] {
  const { cacheHits, cacheMisses, cachedBytes, stagedBytes, spilledBytes } = statistics;
  const { bytesReceived, bytesSent, retries, failures, openHandles } = statistics;
  const { uploadsInFlight, uploadBytesInFlight, uploadsWaiting } = statistics;
  const looked = cacheHits + cacheMisses;
  const share = looked === 0 ? '' : ` (${Math.round((100 * cacheHits) / looked)} % hits)`;
  const codes = Object.entries(failures).map(([code, count]) => `${code} ${count ?? 0}`);
  return [
    row('cache', `${cacheHits} hits, ${cacheMisses} misses${share}, ${sizeOf(cachedBytes)} kept`),
    row('traffic', `${sizeOf(bytesReceived)} received, ${sizeOf(bytesSent)} sent`),
    row(
      'uploads',
      `${uploadsInFlight} under way (${sizeOf(uploadBytesInFlight)}), ${uploadsWaiting} waiting; ` +
        `${sizeOf(stagedBytes)} staged in memory, ${sizeOf(spilledBytes)} on disk`,
    ),
    row('open files', String(openHandles)),
    row(
      'errors',
      `${countErrors(statistics)}, ${countOf(retries, 'retry', 'retries')}` +
        (codes.length === 0 ? '' : `; refusals and failures: ${codes.join(', ')}`),
    ),
    ...describeRequests(statistics),
  ];
}

function describeRequests({ byKind }: MountStatistics): string[] {
  const entries = Object.entries(byKind);
  if (entries.length === 0) return [row('requests', 'none')];
  return [
    row('requests', columns('number', 'failed', 'now', 'median', '95 %')),
    ...entries.flatMap(([kind, request]) => {
      if (!request) return [];
      const { requests, failures, inFlight, latency } = request;
      return [
        row(
          `  ${kind}`,
          columns(
            String(requests),
            String(failures),
            String(inFlight),
            durationOf(latencyQuantileMs(latency, 0.5)),
            durationOf(latencyQuantileMs(latency, 0.95)),
          ),
        ),
      ];
    }),
  ];
}

const labelWidth = 18;
const columnWidth = 10;

function inBrackets(reason: string | undefined): string {
  return reason === undefined ? '' : ` (${inOneLine(reason)})`;
}

function row(label: string, text: string): string {
  return `  ${label.padEnd(labelWidth)}${text}`;
}

function columns(...texts: readonly string[]): string {
  return texts.map((text) => text.padStart(columnWidth)).join('');
}

function durationOf(durationMs: number | undefined): string {
  if (durationMs === undefined) return '-';
  const [value, unit] = durationMs < 1000 ? [durationMs, 'ms'] : [durationMs / 1000, 's'];
  return `${Number(value.toPrecision(2))} ${unit}`; // without the exponent that toPrecision has for 100 and more
}

/** In powers of 1,024. */
function sizeOf(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let [value, unit] = [bytes, 0];
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? ''}`;
}

function ageOf({ startedAt }: MountStatus, now: Date): string {
  const seconds = Math.max(0, Math.floor((now.getTime() - Date.parse(startedAt)) / 1000));
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${seconds} s`;
}
