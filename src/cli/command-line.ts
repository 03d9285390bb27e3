/** What a command is, and what it takes from yargs: checked values instead of what was typed. */
import type { Argv } from 'yargs';
import type { MountDependencies } from '../mount/mount.js';
import { UsageError } from './command-errors.js';

export interface Command {
  /** The name and its positionals, in yargs' form. */
  readonly usage: string;
  /** Other names. */
  readonly aliases?: readonly string[];
  /** In one line, for the list of commands. */
  readonly summary: string;
  /** Declares positionals, options, examples and epilogue, to yargs or to `command-help.ts`. */
  readonly describe: (yargs: Argv) => Argv;
  /**
   * Resolves with the exit code. It loads what it runs, so that other commands and the help do not wait for that: some layers
   * take half a second.
   */
  readonly run: (parsed: ParsedArguments, dependencies?: MountDependencies) => Promise<number>;
}

/** What the user types for the command. */
export function commandName({ usage }: Command): string {
  return usage.split(' ')[0] ?? '';
}

/** The values that yargs parsed, by the names of options and positionals. */
export type ParsedArguments = Readonly<Record<string, unknown>>;

/** Throws a `UsageError` if an option was given twice. */
export function textOf(parsed: ParsedArguments, name: string): string | undefined {
  const value = parsed[name];
  if (Array.isArray(value)) throw new UsageError(`--${name} is given more than once`);
  return typeof value === 'string' ? value : undefined;
}

export function switchOf(parsed: ParsedArguments, name: string): boolean | undefined {
  const value = parsed[name];
  if (Array.isArray(value)) throw new UsageError(`--${name} is given more than once`);
  return typeof value === 'boolean' ? value : undefined;
}

/** The values of an option that may be given several times. */
export function textsOf(parsed: ParsedArguments, name: string): string[] {
  const value = parsed[name];
  return Array.isArray(value) ? value.filter((text) => typeof text === 'string') : [];
}

/** Throws a `UsageError` if it is empty. */
export function positionalOf(parsed: ParsedArguments, name: string): string {
  const value = parsed[name];
  if (typeof value !== 'string' || value === '') throw new UsageError(`${name.toUpperCase()} is empty`);
  return value;
}

/** The options of a command, without dashes: those that take a value and those that do not. */
export interface KnownOptions {
  readonly values: readonly string[];
  readonly switches: readonly string[];
}

const everywhere = ['help', 'h', 'version', 'V'];

/**
 * The first option that the command does not have. yargs reports it too, but only if nothing else is wrong. It takes the
 * argument after an unknown option for its value, so something else usually is wrong.
 */
export function findUnknownOption(args: readonly string[], known: KnownOptions): string | undefined {
  const switches = new Set([...known.switches, ...known.switches.map((name) => `no-${name}`), ...everywhere]);
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] ?? '';
    if (arg === '--') return undefined;
    const [, name, value] = /^--?([A-Za-z][^=]*)(=.*)?$/s.exec(arg) ?? [];
    if (name === undefined || switches.has(name)) continue;
    if (known.values.includes(name)) index += value === undefined ? 1 : 0;
    else return arg.replace(/=.*$/s, '');
  }
  return undefined;
}
