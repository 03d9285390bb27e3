/** A status with something of everything. */
import { latencyBoundsMs, type MountStatus } from '../../../src/mount-statistics.js';

const counts = latencyBoundsMs.map(() => 0);
counts[0] = 1; // within 1 ms
counts[2] = 3; // 2 to 3 ms

export const status: MountStatus = {
  pid: 12,
  mountpoint: '/home/me/"data"',
  source: 'bucket/folder/',
  startedAt: '2026-01-02T03:04:05.000Z',
  pending: ['a', 'b'],
  pendingCount: 3,
  statistics: {
    byKind: { get: { requests: 5, failures: 1, inFlight: 1, latency: { counts: [...counts, 0], sumMs: 9 } } },
    failures: { NotFound: 4, Timeout: 1 },
    retries: 1,
    bytesReceived: 1536,
    bytesSent: 5,
    cacheHits: 3,
    cacheMisses: 1,
    cachedBytes: 2 ** 20,
    stagedBytes: 10,
    spilledBytes: 20,
    uploadsInFlight: 2,
    uploadBytesInFlight: 8,
    uploadsWaiting: 7,
    openHandles: 6,
  },
};
