/** Every command: its names, help and options, and what runs it. The command line, its check and the man page come of this. */
import { readFile } from 'node:fs/promises';
import type { Argv } from 'yargs';
import type { MountDependencies } from '../mount.js';
import {
  auditDescription,
  auditOptions,
  auditUsage,
  describeAuditOptions,
  runAudit,
} from './audit/audit-command.js';
import type { KnownOptions, ParsedArguments } from './command-line.js';
import { demoDescription, demoOptions, demoUsage, describeDemoOptions } from './demo/demo-command.js';
import {
  describeDoctorOptions,
  doctorDescription,
  doctorOptions,
  doctorUsage,
} from './doctor/doctor-command.js';
import {
  describeGatewayOptions,
  gatewayDescription,
  gatewayOptions,
  gatewayUsage,
} from './gateway/gateway-command.js';
import { describeGetOptions, getDescription, getOptions, getUsage, runGet } from './get/get-command.js';
import {
  describeKeygenOptions,
  keygenDescription,
  keygenOptions,
  keygenUsage,
  runKeygen,
} from './keygen/keygen-command.js';
import {
  describeListOptions,
  listDescription,
  listOptions,
  listUsage,
  runList,
} from './list/list-command.js';
import { runMount } from './mount/run-mount.js';
import { describeMountOptions, mountDescription, mountOptions, mountUsage } from './mount/mount-options.js';
import {
  describePolicyOptions,
  policyDescription,
  policyOptions,
  policyUsage,
} from './policy/policy-command.js';
import { describePutOptions, putDescription, putOptions, putUsage, runPut } from './put/put-command.js';
import {
  describeEncryptOptions,
  describeRekeyOptions,
  encryptDescription,
  encryptOptions,
  encryptUsage,
  rekeyDescription,
  rekeyOptions,
  rekeyUsage,
  runEncrypt,
  runRekey,
} from './rewrite/rewrite-command.js';
import { describeSetupOptions, setupDescription, setupOptions, setupUsage } from './setup/setup-command.js';
import {
  describeStatusOptions,
  runStatus,
  statusDescription,
  statusOptions,
  statusUsage,
} from './status/status-command.js';
import {
  describeUmountOptions,
  runUmount,
  umountDescription,
  umountOptions,
  umountUsage,
} from './umount/umount-command.js';
import {
  describeUnitOptions,
  runUnit,
  unitDescription,
  unitOptions,
  unitUsage,
} from './unit/unit-command.js';

export interface Command {
  /** The name and its positionals, in yargs' form. */
  readonly usage: string;
  /** Other names. */
  readonly aliases?: readonly string[];
  readonly description: string;
  /** Tells yargs, or whoever takes its place, of positionals, options, examples and epilogue. */
  readonly describe: (yargs: Argv) => Argv;
  readonly options: KnownOptions;
  /** Resolves with the exit code. Commands that load much do so here, so that the others start faster. */
  readonly run: (parsed: ParsedArguments, dependencies?: MountDependencies) => Promise<number>;
}

/** In the order of the help. */
export const commands: readonly Command[] = [
  {
    usage: mountUsage,
    description: mountDescription,
    describe: describeMountOptions,
    options: mountOptions,
    run: runMount,
  },
  {
    usage: umountUsage,
    aliases: ['unmount'],
    description: umountDescription,
    describe: describeUmountOptions,
    options: umountOptions,
    run: runUmount,
  },
  {
    usage: keygenUsage,
    description: keygenDescription,
    describe: describeKeygenOptions,
    options: keygenOptions,
    run: runKeygen,
  },
  {
    usage: gatewayUsage,
    description: gatewayDescription,
    describe: describeGatewayOptions,
    options: gatewayOptions,
    run: async (parsed) => (await import('./gateway/run-gateway.js')).runGateway(parsed),
  },
  {
    usage: listUsage,
    description: listDescription,
    describe: describeListOptions,
    options: listOptions,
    run: runList,
  },
  {
    usage: auditUsage,
    description: auditDescription,
    describe: describeAuditOptions,
    options: auditOptions,
    run: runAudit,
  },
  {
    usage: rekeyUsage,
    description: rekeyDescription,
    describe: describeRekeyOptions,
    options: rekeyOptions,
    run: runRekey,
  },
  {
    usage: encryptUsage,
    description: encryptDescription,
    describe: describeEncryptOptions,
    options: encryptOptions,
    run: runEncrypt,
  },
  {
    usage: putUsage,
    description: putDescription,
    describe: describePutOptions,
    options: putOptions,
    run: runPut,
  },
  {
    usage: getUsage,
    description: getDescription,
    describe: describeGetOptions,
    options: getOptions,
    run: runGet,
  },
  {
    usage: statusUsage,
    description: statusDescription,
    describe: describeStatusOptions,
    options: statusOptions,
    run: runStatus,
  },
  {
    usage: policyUsage,
    description: policyDescription,
    describe: describePolicyOptions,
    options: policyOptions,
    run: async (parsed) => (await import('./policy/run-policy.js')).runPolicy(parsed),
  },
  {
    usage: doctorUsage,
    description: doctorDescription,
    describe: describeDoctorOptions,
    options: doctorOptions,
    run: async (parsed) => (await import('./doctor/run-doctor.js')).runDoctor(parsed),
  },
  {
    usage: unitUsage,
    description: unitDescription,
    describe: describeUnitOptions,
    options: unitOptions,
    run: runUnit,
  },
  {
    usage: demoUsage,
    description: demoDescription,
    describe: describeDemoOptions,
    options: demoOptions,
    run: async (parsed) => (await import('./demo/run-demo.js')).runDemo(parsed),
  },
  {
    usage: setupUsage,
    description: setupDescription,
    describe: describeSetupOptions,
    options: setupOptions,
    run: async (parsed) => (await import('./setup/run-setup.js')).runSetup(parsed),
  },
];

export const completionCommand = 'completion';
export const completionDescription = 'print a script that completes commands and options in bash or zsh';

export const programDescription =
  '$0 shows an S3 bucket whose objects are encrypted under your own key (SSE-C) as a directory.';

/** The widest line of a help text. */
export const helpWidth = 110;

/** What the user types for the command. */
export function nameOf({ usage }: Command): string {
  return usage.split(' ')[0] ?? '';
}

/** Undefined if there is no such command. */
export function findCommand(name: string): Command | undefined {
  return commands.find((command) => nameOf(command) === name || command.aliases?.includes(name));
}

/** From dist/src/cli, where this file is when it runs. */
export async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { readonly version: string };
  return version;
}
