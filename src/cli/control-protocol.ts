/**
 * What `osirisfs umount`, `osirisfs status` and the serving process say to each other over the control socket: one request, then replies
 * until `done`, `status` or `error`, each one line of JSON. Pure.
 */

import type { MountStatus } from '../mount-statistics.js';

/** A longer line is not one of ours. */
export const maxLineBytes = 64 * 1024;

/** While an answer takes its time, a `waiting` comes at least this often. */
export const heartbeatMs = 1_000;

export type ControlRequest =
  { readonly command: 'umount'; readonly lazy: boolean } | { readonly command: 'status' };

export type ControlReply =
  /** What the bucket does not have yet; at most `maxWaitingPaths` of `count`. */
  | { readonly waiting: readonly string[]; readonly count: number }
  /** Unmounted. Unless the request was lazy, everything is in the bucket and the process is about to end. */
  | { readonly done: true }
  | { readonly status: MountStatus }
  /** `busy`: still mounted, since programs use it. */
  | { readonly error: string; readonly busy: boolean };

export const maxWaitingPaths = 20;

export function formatLine(message: ControlRequest | ControlReply): string {
  return `${JSON.stringify(message)}\n`;
}

/** Undefined if it is not a request. */
export function parseRequest(line: string): ControlRequest | undefined {
  const fields = parseFields(line);
  if (fields?.['command'] === 'status') return { command: 'status' };
  if (fields?.['command'] !== 'umount' || typeof fields['lazy'] !== 'boolean') return undefined;
  return { command: 'umount', lazy: fields['lazy'] };
}

/** Undefined if it is not a reply. */
export function parseReply(line: string): ControlReply | undefined {
  const fields = parseFields(line);
  if (fields?.['done'] === true) return { done: true };
  const { error, busy, waiting, count, status } = fields ?? {};
  if (isStatus(status)) return { status };
  if (typeof error === 'string' && typeof busy === 'boolean') return { error, busy };
  if (typeof count === 'number' && Array.isArray(waiting)) {
    return { waiting: waiting.filter((path) => typeof path === 'string'), count };
  }
  return undefined;
}

/** The other end is this same program; one that is older or newer is known by the first fields. */
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

function parseFields(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
