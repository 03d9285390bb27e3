/**
 * What `osirisfs umount`, `osirisfs status` and the serving process say to each other over the control socket: one request, then replies
 * until `done`, `status` or `error`, each one line of JSON. Pure.
 */

import { parseJsonObject } from '../../json-object.js';
import type { MountStatus } from '../../mount-statistics.js';

/** A longer line is not one of ours. */
export const maxControlLineBytes = 64 * 1024;

/** While an answer takes long, a `waiting` comes at least this often. */
export const heartbeatMs = 1_000;

export type ControlRequest =
  /** `isDetached`: the directory is unmounted already; only wait for the end. */
  | { readonly command: 'umount'; readonly lazy: boolean; readonly isDetached?: true }
  /** End at once, and lose what is not in the bucket. */
  | { readonly command: 'give up' }
  | { readonly command: 'status' };

export type ControlReply =
  /** What the bucket does not have yet; at most `maxWaitingPaths` of `count`. */
  | WaitingReply
  /** Unmounted. Unless the request was lazy, everything is in the bucket and the process is about to end. */
  | { readonly done: true }
  | { readonly status: MountStatus }
  /** `busy`: still mounted, since programs use it. `isNotMounted`: it was unmounted before. */
  | { readonly error: string; readonly busy: boolean; readonly isNotMounted?: true };

export interface WaitingReply {
  readonly waiting: readonly string[];
  readonly count: number;
  /** By path, of those in `waiting`: why the last try failed. */
  readonly reasons: Readonly<Partial<Record<string, string>>>;
  /** How many of `count` the server refuses, and of which nothing is being sent. */
  readonly refusedCount: number;
}

export const maxWaitingPaths = 20;

export function formatLine(message: ControlRequest | ControlReply): string {
  return `${JSON.stringify(message)}\n`;
}

/** Undefined if it is not a request. */
export function parseControlRequest(line: string): ControlRequest | undefined {
  const fields = parseJsonObject(line);
  if (fields?.['command'] === 'status') return { command: 'status' };
  if (fields?.['command'] === 'give up') return { command: 'give up' };
  if (fields?.['command'] !== 'umount' || typeof fields['lazy'] !== 'boolean') return undefined;
  return {
    command: 'umount',
    lazy: fields['lazy'],
    ...(fields['isDetached'] === true && { isDetached: true }),
  };
}

/** Undefined if it is not a reply. */
export function parseReply(line: string): ControlReply | undefined {
  const fields = parseJsonObject(line);
  if (fields?.['done'] === true) return { done: true };
  const { error, busy, isNotMounted, waiting, count, reasons, refusedCount, status } = fields ?? {};
  if (isStatus(status)) return { status };
  if (typeof error === 'string' && typeof busy === 'boolean') {
    return { error, busy, ...(isNotMounted === true && { isNotMounted: true }) };
  }
  if (typeof count === 'number' && Array.isArray(waiting)) {
    return {
      waiting: waiting.filter((path) => typeof path === 'string'),
      count,
      reasons: textsIn(reasons),
      refusedCount: typeof refusedCount === 'number' ? refusedCount : 0,
    };
  }
  return undefined;
}

/** The other end is this program too. An older or newer version shows in the first fields. */
function isStatus(value: unknown): value is MountStatus {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, mountpoint, source, startedAt, pending, pendingCount } = value as Partial<MountStatus>;
  return (
    typeof pid === 'number' &&
    [mountpoint, source, startedAt].every((text) => typeof text === 'string') &&
    Array.isArray(pending) &&
    typeof pendingCount === 'number'
  );
}

function textsIn(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
