/** Removes or reports what in the environment, or in Node's flags, would break the promises of a mount. */
import { url as inspectorUrl } from 'node:inspector';

/** Call it before anything else. `warn` gets one line for each problem. */
export function disarmEnvironment(
  environment: Record<string, string | undefined>,
  warn: (line: string) => void,
): void {
  // Our connections check certificates in any case. Removing the variable keeps Node from printing a false warning, and keeps other
  // clients of the SDK and child processes from following it.
  if (environment['NODE_TLS_REJECT_UNAUTHORIZED'] === '0') {
    delete environment['NODE_TLS_REJECT_UNAUTHORIZED'];
    warn('NODE_TLS_REJECT_UNAUTHORIZED=0 is ignored: certificates are always checked');
  }
  const listening = inspectorUrl();
  if (listening !== undefined) {
    warn(
      `Node's inspector listens at ${new URL(listening).host}: whoever can connect to it can take over this process and read the customer key; start osirisfs without --inspect, which may be in NODE_OPTIONS`,
    );
  }
}
