/**
 * Cleans up after a killed process: a mount whose server is dead answers ENOTCONN to everything until it is unmounted.
 * A detached `sh` waits for the end of a pipe that this process holds, and then detaches the mount, if the directory
 * still shows this one.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import type { Log } from '../log.js';
import { safeEnvironment } from './command.js';
import { escapeField, type Mount } from './mount-table.js';

/**
 * $1 is the mountpoint, $2 the same as mountinfo writes it. The lines of its input: the mount's id and device once it
 * exists, and "done" when it is gone as it should be. Only the uppermost mount at the directory counts, as that is the one
 * which fusermount3 would take away. Signals to the group (Ctrl-C, a service manager's stop) must not end it early.
 */
const script = `
trap '' HUP INT TERM
id= device=
while read -r word1 word2; do
  [ "$word1" = done ] && exit 0
  id=$word1 device=$word2
done
[ -n "$id" ] || exit 0
top=
while read -r mount parent dev root directory rest; do
  [ "$directory" = "$2" ] && top="$mount $dev"
done < /proc/self/mountinfo
[ "$top" = "$id $device" ] && exec fusermount3 -u -z -- "$1"
exit 0
`;

export class Watchdog {
  readonly #child: ChildProcess;
  readonly #log: Log;

  /** Starts to watch over what will be mounted on `mountpoint`, an absolute path without symbolic links. */
  constructor(mountpoint: string, log: Log) {
    this.#log = log;
    this.#child = spawn('/bin/sh', ['-c', script, 'osirisfs-watchdog', mountpoint, escapeField(mountpoint)], {
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
      env: safeEnvironment(),
      detached: true,
    });
    const onError = (error: Error) => {
      log.warn({ err: error }, 'no watchdog: if this process is killed, its mount stays behind');
    };
    this.#child.on('error', onError);
    this.#child.stdin?.on('error', onError);
    this.#child.unref();
    if (this.#child.stdin instanceof Socket) this.#child.stdin.unref();
  }

  /** Names the mount to watch. */
  guard(mount: Mount): void {
    this.#child.stdin?.write(`${mount.id} ${mount.device}\n`);
  }

  /** Ends the watch without unmounting anything. To be called as soon as the mount is gone: its id may be used again. */
  standDown(): void {
    this.#log.trace({}, 'the watchdog may go');
    this.#child.stdin?.end('done\n');
  }

  /** Does now what the watchdog does at the end of this process. */
  takeAway(): void {
    this.#child.stdin?.end();
  }
}
