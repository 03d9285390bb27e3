/** The command line: finds and runs the command, and turns its outcome into an exit code. */
import { setMaxListeners } from 'node:events';
import yargs, { type Argv } from 'yargs';
import type { MountDependencies } from '../mount/mount.js';
import { UsageError } from './command-errors.js';
import { knownOptionsOf } from './command-help.js';
import { findUnknownOption, commandName, type Command, type ParsedArguments } from './command-line.js';
import {
  commands,
  completionCommand,
  completionDescription,
  findCommand,
  helpWidth,
  packageVersion,
  programDescription,
} from './commands.js';
import { explainError } from './explain-error.js';
import { mountArgumentsOf } from './mount/mount-helper.js';
import { complain } from './terminal.js';
import { disarmEnvironment } from './unsafe-environment.js';
import { settleHome } from './user-directories.js';

/** yargs takes one text for one argument and one for several, which its types do not know. */
const missing: unknown = {
  one: 'arguments are missing: %s given, %s needed',
  other: 'arguments are missing: %s given, %s needed',
};

/** Runs the command and ends the process with its exit code. */
export async function runToTheEnd(args: readonly string[], dependencies?: MountDependencies): Promise<void> {
  process.exit(await run(args, dependencies));
}

/** Resolves with the exit code: 0, 1 for a failure, 2 for a command line that makes no sense. Never rejects. */
export async function run(typed: readonly string[], dependencies?: MountDependencies): Promise<number> {
  // All requests in flight may listen to one signal, which is no leak. Set for all signals at once, because setting it for each costs
  // more than making the signal.
  setMaxListeners(0);
  disarmEnvironment(process.env, complain);
  settleHome(process.env);
  const args = separateFuseOptions(
    mountArgumentsOf(typed, (word) => findCommand(word) !== undefined) ?? typed,
  );
  try {
    requireKnownOptions(args);
    const chosen = await choose(commandLine(args, await packageVersion()));
    return chosen ? await chosen.command.run(chosen.parsed, dependencies) : 0;
  } catch (error) {
    const explanation = explainError(error);
    complain(explanation.line);
    return explanation.exitCode;
  }
}

/**
 * The command that yargs found. Thrown, because yargs makes the whole help text after a handler that returns, which takes up
 * to 0.1 s.
 */
class Chosen extends Error {
  constructor(
    readonly command: Command,
    readonly parsed: ParsedArguments,
  ) {
    super(`${commandName(command)} is to be run`);
  }
}

/** Undefined if yargs did the work itself, for example printed a help text. */
async function choose(parser: Argv): Promise<Chosen | undefined> {
  try {
    await parser.parseAsync();
    return undefined;
  } catch (error) {
    if (error instanceof Chosen) return error;
    throw error;
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
  const known = findCommand(command);
  const unknown = known && findUnknownOption(args.slice(1), knownOptionsOf(known));
  if (unknown !== undefined) throw new UsageError(`unknown option ${unknown}; ${helpHint(args)}`);
}

function helpHint([command = '']: readonly string[]): string {
  return findCommand(command) !== undefined ? `see osirisfs ${command} --help` : 'see osirisfs --help';
}

function commandLine(args: readonly string[], version: string): Argv {
  const parser = yargs([...args])
    .scriptName('osirisfs')
    .usage(programDescription);
  for (const command of commands) {
    parser.command(
      [command.usage, ...(command.aliases ?? [])],
      command.summary,
      command.describe,
      (parsed: ParsedArguments) => {
        throw new Chosen(command, parsed);
      },
    );
  }
  return parser
    .completion(completionCommand, completionDescription)
    .demandCommand(1, 1, `which command? ${listOf(commands.map(commandName))}`)
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

/** `a, b or c`. */
function listOf(words: readonly string[]): string {
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`;
}
