/** The list of commands, and other data about the program, for the command line, its check and the man page. */
import { readFile } from 'node:fs/promises';
import { auditCommand } from './audit/audit-command.js';
import { commandName, type Command } from './command-line.js';
import { demoCommand } from './demo/demo-command.js';
import { doctorCommand } from './doctor/doctor-command.js';
import { gatewayCommand } from './gateway/gateway-command.js';
import { getCommand } from './get/get-command.js';
import { keygenCommand } from './keygen/keygen-command.js';
import { listCommand } from './list/list-command.js';
import { mountCommand } from './mount/mount-command.js';
import { policyCommand } from './policy/policy-command.js';
import { putCommand } from './put/put-command.js';
import { encryptCommand, rekeyCommand } from './rewrite/rewrite-commands.js';
import { setupCommand } from './setup/setup-command.js';
import { statusCommand } from './status/status-command.js';
import { umountCommand } from './umount/umount-command.js';
import { unitCommand } from './unit/unit-command.js';

/** In the order of the help. */
export const commands: readonly Command[] = [
  mountCommand,
  umountCommand,
  keygenCommand,
  gatewayCommand,
  listCommand,
  auditCommand,
  rekeyCommand,
  encryptCommand,
  putCommand,
  getCommand,
  statusCommand,
  policyCommand,
  doctorCommand,
  unitCommand,
  demoCommand,
  setupCommand,
];

/** Undefined if there is no such command. */
export function findCommand(name: string): Command | undefined {
  return commands.find((command) => commandName(command) === name || command.aliases?.includes(name));
}

export const completionCommand = 'completion';
export const completionDescription = 'print a script that completes commands and options in bash or zsh';

export const programDescription =
  '$0 shows an S3 bucket whose objects are encrypted under your own key (SSE-C) as a directory.';

/** The widest line of a help text. */
export const helpWidth = 110;

/** From dist/src/cli, where this file is when it runs. */
export async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { readonly version: string };
  return version;
}
