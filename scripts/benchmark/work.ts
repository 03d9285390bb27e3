/** What everything in a run of the bench shares. */
import type { Bucket } from './bucket.js';
import type { CustomerKeyFiles } from './customer-key-files.js';
import type { ServerAccess } from './server.js';

export interface Work {
  /** Of this run, deleted at its end. */
  readonly directory: string;
  /** Local files to be copied in; see source-files. */
  readonly source: string;
  readonly key: CustomerKeyFiles;
  readonly server: ServerAccess;
  readonly bucket: Bucket;
  /** The network namespace that clients are in; undefined: the machine's own. */
  readonly namespace: string | undefined;
  readonly limitSeconds: number;
  /** Aborts when the bench is to end. */
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** The folder of objects that all programs read. */
export const sharedFolder = 'shared';

/** In the work directory; each program's mountpoint and other belongings are below one of its own. */
export function inNamespace(
  namespace: string | undefined,
  command: string,
  args: readonly string[],
): { readonly command: string; readonly args: readonly string[] } {
  if (namespace === undefined) return { command, args };
  // Not `ip netns exec`, which makes a mount namespace too: what is mounted there nobody else could see.
  return { command: 'nsenter', args: [`--net=/run/netns/${namespace}`, command, ...args] };
}
