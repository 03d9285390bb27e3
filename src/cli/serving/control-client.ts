/** The client's end of the control socket, for `osirisfs umount` and `osirisfs status`. */
import { createConnection } from 'node:net';
import { createInterface } from 'node:readline';
import { CommandError } from '../command-errors.js';
import {
  formatLine,
  heartbeatMs,
  parseReply,
  type ControlReply,
  type ControlRequest,
  type WaitingReply,
} from './control-protocol.js';

/** After this many missed heartbeats the process counts as hung. */
const silenceMs = 30 * heartbeatMs;

export type Outcome = Exclude<ControlReply, WaitingReply> | { readonly noProcess: true };

/**
 * Sends one request and resolves with the last reply; `noProcess` if nobody listens at the socket. Rejects with a
 * `CommandError` if the process falls silent or dies before it has answered, or with what `onWaiting` throws, which ends the wait.
 */
export async function askServingProcess(
  socketPath: string,
  request: ControlRequest,
  onWaiting: (waiting: WaitingReply) => void = () => undefined,
  limitMs = silenceMs,
): Promise<Outcome> {
  return await new Promise((resolve, reject) => {
    const socket = createConnection(socketPath);
    socket.setTimeout(limitMs, () => {
      socket.destroy();
      reject(
        new CommandError(
          `the serving process has not answered for ${limitMs / 1000} s; ${request.command === 'umount' ? 'try --lazy, or kill it' : 'see its log'}`,
        ),
      );
    });
    socket.once('connect', () => socket.write(formatLine(request)));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve({ noProcess: true });
      else reject(new CommandError(`cannot reach the serving process: ${error.message}`, { cause: error }));
    });
    const wait = (waiting: WaitingReply): void => {
      try {
        onWaiting(waiting);
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
        socket.destroy();
      }
    };
    const lines = createInterface({ input: socket });
    lines.on('error', () => undefined); // the socket reports it
    lines.on('line', (line) => {
      const reply = parseReply(line);
      if (reply === undefined)
        reject(new CommandError('the serving process gave an answer that is not understood'));
      else if ('waiting' in reply) wait(reply);
      else resolve(reply);
    });
    socket.once('close', () => {
      const what = request.command === 'umount' ? 'everything was in the bucket' : 'it answered';
      reject(new CommandError(`the serving process ended before ${what}; see its log`));
    });
  });
}
