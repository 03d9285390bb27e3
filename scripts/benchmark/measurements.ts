/** What the bench measures, as it stands in results.json: the seam between running jobs and reporting them. */

export const mountPrograms = ['osirisfs', 's3fs', 'rclone'] as const;
export type MountProgram = (typeof mountPrograms)[number];
/** curl has no file system: what it reaches is the server's limit. */
export type Contestant = MountProgram | 'curl';

export type Unit = 's' | 'MiB/s';

export interface Target {
  /** `peer` is the better of s3fs and rclone; `absolute` is a value in the measurement's own unit. */
  readonly against: 'peer' | 's3fs' | 'rclone' | 'curl' | 'absolute';
  /** How many times as fast osirisfs is to be; for `absolute` the value itself. */
  readonly factor: number;
}

/** One row of the table. */
export interface Measured {
  readonly id: string;
  readonly title: string;
  readonly unit: Unit;
  readonly targets: readonly Target[];
  /** For rows that are points of a plot. */
  readonly growth?: GrowthPoint;
}

export const growthPlots = ['size', 'entries', 'readers'] as const;

export interface GrowthPoint {
  readonly plot: (typeof growthPlots)[number];
  readonly curve: string;
  /** Bytes, entries or readers. */
  readonly x: number;
}

/** What one round gave. */
export interface Sample {
  readonly value: number;
  /** Of the process that serves the mount, while this was measured; absent for curl. */
  readonly residentBytes?: number;
  readonly processorSeconds?: number;
  /** The content that was moved; absent where that is not the point. */
  readonly contentBytes?: number;
}

export interface Outcome {
  readonly samples: Sample[];
  /** Why there are fewer samples than rounds: `fails: …` or `> N s`. */
  readonly failures: string[];
}

/** The circumstances of a run of all jobs. */
export interface Setting {
  /** RGW's tcp_nodelay; 0 is Ceph's default. */
  readonly nodelay: 0 | 1;
  /** Round trip added by the network namespace, 0 for loopback without it. */
  readonly delayMs: number;
}

export interface SettingResults {
  readonly setting: Setting;
  readonly measured: readonly Measured[];
  /** By id of the row, then contestant. */
  readonly outcomes: Record<string, Partial<Record<Contestant, Outcome>>>;
}

export function describeSetting({ nodelay, delayMs }: Setting): string {
  const network = delayMs === 0 ? 'loopback' : `${delayMs} ms round trip, 1 Gbit/s`;
  return `tcp_nodelay=${nodelay}${nodelay === 0 ? " (Ceph's default)" : ''}, ${network}`;
}
