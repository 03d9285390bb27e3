/** What comes with the environment, or with Node's own flags, and would undo what a mount promises. */
import { url as inspectorUrl } from 'node:inspector';

/** To be called before anything else. Each matter is told in one line. */
export function disarmEnvironment(
  environment: Record<string, string | undefined>,
  warn: (line: string) => void,
): void {
  // Every connection asks for the check by itself. Without the variable Node does not print the opposite, and neither clients of the
  // SDK that are not ours nor what is started from here go by it.
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
