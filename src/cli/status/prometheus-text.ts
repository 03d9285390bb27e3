/**
 * The state of a mount in Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/). Written by
 * hand: the counters exist already, and a client library would keep a second set of them. Pure.
 */
import {
  countErrors,
  latencyBoundsMs,
  type MountStatistics,
  type MountStatus,
} from '../../mount-statistics.js';

type Labels = Readonly<Record<string, string>>;

/** The metrics that are one number of the statistics: name, type and help. */
const numbers: readonly (readonly [
  string,
  'counter' | 'gauge',
  string,
  (statistics: MountStatistics) => number,
])[] = [
  ['errors_total', 'counter', 'Requests that failed in a way that is trouble.', countErrors],
  ['retries_total', 'counter', 'Requests that were sent again.', ({ retries }) => retries],
  ['received_bytes_total', 'counter', 'Content of objects received.', ({ bytesReceived }) => bytesReceived],
  ['sent_bytes_total', 'counter', 'Content of objects sent.', ({ bytesSent }) => bytesSent],
  ['cache_hits_total', 'counter', 'Blocks found in memory or under way.', ({ cacheHits }) => cacheHits],
  ['cache_misses_total', 'counter', 'Blocks that had to be fetched.', ({ cacheMisses }) => cacheMisses],
  ['cache_bytes', 'gauge', 'Memory for blocks that were read.', ({ cachedBytes }) => cachedBytes],
  ['staged_bytes', 'gauge', 'Memory for what is being written.', ({ stagedBytes }) => stagedBytes],
  ['spilled_bytes', 'gauge', 'Disk for what is being written.', ({ spilledBytes }) => spilledBytes],
  ['uploads_in_flight', 'gauge', 'Bodies on their way.', ({ uploadsInFlight }) => uploadsInFlight],
  ['uploads_waiting', 'gauge', 'Bodies that wait for their turn.', ({ uploadsWaiting }) => uploadsWaiting],
  ['open_handles', 'gauge', 'Open files.', ({ openHandles }) => openHandles],
  [
    'writes_refused',
    'gauge',
    '1 if the server does not encrypt.',
    ({ writeRefusal }) => (writeRefusal === undefined ? 0 : 1),
  ],
];

export function prometheusText(status: MountStatus): string {
  const labels = { mountpoint: status.mountpoint, source: status.source };
  const started = Date.parse(status.startedAt) / 1000;
  const lines = [
    ...metric('start_time_seconds', 'gauge', 'When the mount began.', [sample('', labels, started)]),
    ...metric('pending_files', 'gauge', 'Files that are not in the bucket yet.', [
      sample('', labels, status.pendingCount),
    ]),
  ];
  const { statistics } = status;
  if (statistics) {
    for (const [name, type, help, read] of numbers) {
      lines.push(...metric(name, type, help, [sample('', labels, read(statistics))]));
    }
    const histogram = requestSamples(statistics, labels);
    lines.push(...metric('request_duration_seconds', 'histogram', 'Requests to the server.', histogram));
  }
  return `${lines.join('\n')}\n`;
}

/** Its count is the number of requests that have ended. */
function requestSamples({ byKind }: MountStatistics, labels: Labels): string[] {
  return Object.entries(byKind).flatMap(([kind, request]) => {
    if (!request) return [];
    const { counts, sumMs } = request.latency;
    let total = 0;
    const buckets = counts.map((count, index) => {
      const boundMs = latencyBoundsMs[index];
      total += count;
      return sample(
        '_bucket',
        { ...labels, kind, le: boundMs === undefined ? '+Inf' : String(boundMs / 1000) },
        total,
      );
    });
    return [
      ...buckets,
      sample('_sum', { ...labels, kind }, sumMs / 1000),
      sample('_count', { ...labels, kind }, total),
    ];
  });
}

/** `samples` begin where the metric's name ends. */
function metric(name: string, type: string, help: string, samples: readonly string[]): string[] {
  const full = `osirisfs_${name}`;
  return [`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, ...samples.map((rest) => full + rest)];
}

function sample(suffix: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([name, text]) => `${name}="${escape(text)}"`);
  return `${suffix}{${pairs.join(',')}} ${value}`;
}

function escape(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
