/** The command line: which commands there are, and what becomes of their outcome. */
import { readFile } from 'node:fs/promises';
import yargs, { type Argv } from 'yargs';
import type { MountDependencies } from '../mount.js';
import { findUnknownOption, type KnownOptions, type ParsedArguments } from './command-line.js';
import {
  auditDescription,
  auditOptions,
  auditUsage,
  describeAuditOptions,
  runAudit,
} from './audit-command.js';
import { describeDoctorOptions, doctorDescription, doctorOptions, doctorUsage } from './doctor-options.js';
import { demoDescription, demoOptions, demoUsage, describeDemoOptions } from './demo-options.js';
import { explainError } from './explain-error.js';
import {
  describeGatewayOptions,
  gatewayDescription,
  gatewayOptions,
  gatewayUsage,
} from './gateway-options.js';
import { describeGetOptions, getDescription, getOptions, getUsage, runGet } from './get-command.js';
import {
  describeKeygenOptions,
  keygenDescription,
  keygenOptions,
  keygenUsage,
  runKeygen,
} from './keygen-command.js';
import { describeListOptions, listDescription, listOptions, listUsage, runList } from './list-command.js';
import { mountArgumentsOf } from './mount-helper.js';
import { runMount } from './mount-command.js';
import { describeMountOptions, mountDescription, mountOptions, mountUsage } from './mount-options.js';
import { describePutOptions, putDescription, putOptions, putUsage, runPut } from './put-command.js';
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
} from './rewrite-command.js';
import { describePolicyOptions, policyDescription, policyOptions, policyUsage } from './policy-options.js';
import {
  describeStatusOptions,
  runStatus,
  statusDescription,
  statusOptions,
  statusUsage,
} from './status-command.js';
import { describeSetupOptions, setupDescription, setupOptions, setupUsage } from './setup-options.js';
import { complain } from './terminal.js';
import {
  describeUmountOptions,
  runUmount,
  umountDescription,
  umountOptions,
  umountUsage,
} from './umount-command.js';
import { describeUnitOptions, runUnit, unitDescription, unitOptions, unitUsage } from './unit-command.js';
import { UsageError } from './usage-error.js';

const helpWidth = 110;

/** yargs takes two forms, of one and of several, which its types do not know. */
const missing: unknown = {
  one: 'arguments are missing: %s given, %s needed',
  other: 'arguments are missing: %s given, %s needed',
};

/** Runs the command and ends the process with its exit code. */
export async function runToTheEnd(args: readonly string[], dependencies?: MountDependencies): Promise<void> {
  process.exit(await run(args, dependencies));
}

/** By what the user types for the command. */
const commandOptions: ReadonlyMap<string, KnownOptions> = new Map([
  ['mount', mountOptions],
  ['umount', umountOptions],
  ['unmount', umountOptions],
  ['keygen', keygenOptions],
  ['gateway', gatewayOptions],
  ['ls', listOptions],
  ['audit', auditOptions],
  ['rekey', rekeyOptions],
  ['encrypt', encryptOptions],
  ['put', putOptions],
  ['get', getOptions],
  ['status', statusOptions],
  ['policy', policyOptions],
  ['doctor', doctorOptions],
  ['unit', unitOptions],
  ['demo', demoOptions],
  ['setup', setupOptions],
]);

/** Resolves with the exit code: 0, 1 for a failure, 2 for a command line that makes no sense. Never rejects. */
export async function run(typed: readonly string[], dependencies?: MountDependencies): Promise<number> {
  let exitCode = 0;
  const conclude = (code: number): void => {
    exitCode = code;
  };
  const args = separateFuseOptions(mountArgumentsOf(typed, (word) => commandOptions.has(word)) ?? typed);
  try {
    requireKnownOptions(args);
    await commandLine(args, await packageVersion(), conclude, dependencies).parseAsync();
    return exitCode;
  } catch (error) {
    const explanation = explainError(error);
    complain(explanation.line);
    return explanation.exitCode;
  }
}

/** `-oro,noexec`, as mount(8) allows, becomes two arguments. */
function separateFuseOptions(args: readonly string[]): string[] {
  const end = args.indexOf('--');
  return args.flatMap((arg, index) =>
    /^-o[^=]/.test(arg) && (end === -1 || index < end) ? ['-o', arg.slice(2)] : [arg],
  );
}

function requireKnownOptions(args: readonly string[]): void {
  const [command = ''] = args;
  const known = commandOptions.get(command);
  const unknown = known && findUnknownOption(args.slice(1), known);
  if (unknown !== undefined) throw new UsageError(`unknown option ${unknown}; ${helpHint(args)}`);
}

function helpHint([command = '']: readonly string[]): string {
  return commandOptions.has(command) ? `see osirisfs ${command} --help` : 'see osirisfs --help';
}

function commandLine(
  args: readonly string[],
  version: string,
  conclude: (exitCode: number) => void,
  dependencies: MountDependencies | undefined,
): Argv {
  return yargs([...args])
    .scriptName('osirisfs')
    .usage('$0 shows an S3 bucket whose objects are encrypted under your own key (SSE-C) as a directory.')
    .command(mountUsage, mountDescription, describeMountOptions, async (parsed: ParsedArguments) =>
      conclude(await runMount(parsed, dependencies)),
    )
    .command(umountUsage, umountDescription, describeUmountOptions, async (parsed: ParsedArguments) =>
      conclude(await runUmount(parsed)),
    )
    .command(keygenUsage, keygenDescription, describeKeygenOptions, async (parsed: ParsedArguments) =>
      conclude(await runKeygen(parsed)),
    )
    .command(gatewayUsage, gatewayDescription, describeGatewayOptions, async (parsed: ParsedArguments) => {
      const { runGateway } = await import('./gateway-command.js'); // the others start faster without its server
      conclude(await runGateway(parsed));
    })
    .command(listUsage, listDescription, describeListOptions, async (parsed: ParsedArguments) =>
      conclude(await runList(parsed)),
    )
    .command(auditUsage, auditDescription, describeAuditOptions, async (parsed: ParsedArguments) =>
      conclude(await runAudit(parsed)),
    )
    .command(rekeyUsage, rekeyDescription, describeRekeyOptions, async (parsed: ParsedArguments) =>
      conclude(await runRekey(parsed)),
    )
    .command(encryptUsage, encryptDescription, describeEncryptOptions, async (parsed: ParsedArguments) =>
      conclude(await runEncrypt(parsed)),
    )
    .command(putUsage, putDescription, describePutOptions, async (parsed: ParsedArguments) =>
      conclude(await runPut(parsed)),
    )
    .command(getUsage, getDescription, describeGetOptions, async (parsed: ParsedArguments) =>
      conclude(await runGet(parsed)),
    )

    .command(statusUsage, statusDescription, describeStatusOptions, async (parsed: ParsedArguments) =>
      conclude(await runStatus(parsed)),
    )

    .command(policyUsage, policyDescription, describePolicyOptions, async (parsed: ParsedArguments) => {
      const { runPolicy } = await import('./policy-command.js');
      conclude(await runPolicy(parsed));
    })

    .command(doctorUsage, doctorDescription, describeDoctorOptions, async (parsed: ParsedArguments) => {
      const { runDoctor } = await import('./doctor-command.js');
      conclude(await runDoctor(parsed));
    })

    .command(unitUsage, unitDescription, describeUnitOptions, async (parsed: ParsedArguments) =>
      conclude(await runUnit(parsed)),
    )
    .completion('completion', 'print a script that completes commands and options in bash or zsh')

    .command(demoUsage, demoDescription, describeDemoOptions, async (parsed: ParsedArguments) => {
      const { runDemo } = await import('./demo-command.js');
      conclude(await runDemo(parsed));
    })

    .command(setupUsage, setupDescription, describeSetupOptions, async (parsed: ParsedArguments) => {
      const { runSetup } = await import('./setup-command.js');
      conclude(await runSetup(parsed));
    })
    .demandCommand(
      1,
      1,
      'which command? mount, umount, keygen, gateway, ls, audit, rekey, encrypt, put, get, status, policy, doctor, unit, demo or setup',
    )
    .strict()
    .recommendCommands()
    .parserConfiguration({
      'camel-case-expansion': false,
      'dot-notation': false,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'short-option-groups': false,
    })
    .locale('en')
    .updateStrings({ 'Not enough non-option arguments: got %s, need at least %s': missing as string })
    .version(version)
    .alias('version', 'V')
    .alias('help', 'h')
    .wrap(helpWidth)
    .exitProcess(false)
    .fail((message: string | null, error: Error | undefined) => {
      if (error && error.name !== 'YError') throw error;
      throw new UsageError(`${error?.message ?? message ?? 'wrong arguments'}; ${helpHint(args)}`);
    });
}

/** From dist/src/cli, where this file is when it runs. */
async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { readonly version: string };
  return version;
}
