/** Records what a command declares to yargs as data, for the check of its options and for the man page. */
import type { Argv, Options, PositionalOptions } from 'yargs';
import type { Command, KnownOptions } from './command-line.js';

export interface OptionHelp {
  /** With dashes, the short one first. */
  readonly names: readonly string[];
  readonly takesValue: boolean;
  /** What stands for the value; undefined for a switch, and where the text names none. */
  readonly placeholder: string | undefined;
  readonly group: string;
  readonly text: string;
  readonly defaultText: string | undefined;
}

export interface PositionalHelp {
  readonly name: string;
  readonly text: string;
  readonly defaultText: string | undefined;
}

interface CommandHelp {
  readonly positionals: readonly PositionalHelp[];
  readonly options: readonly OptionHelp[];
  /** Command line and explanation. */
  readonly examples: readonly (readonly [string, string])[];
  readonly epilogue: string;
}

/** Throws if the command uses a part of yargs that this does not record. */
export function helpOf({ describe }: Command): CommandHelp {
  const recorder = new Recorder();
  describe(recorder as unknown as Argv);
  return recorder.help();
}

export function knownOptionsOf(command: Command): KnownOptions {
  const namesOf = (some: readonly OptionHelp[]): string[] =>
    some.flatMap(({ names }) => names).map((name) => name.replace(/^-+/, ''));
  const { options } = helpOf(command);
  return {
    values: namesOf(options.filter(({ takesValue }) => takesValue)),
    switches: namesOf(options.filter(({ takesValue }) => !takesValue)),
  };
}

/** The part of yargs that commands use. */
class Recorder {
  readonly #positionals: PositionalHelp[] = [];
  readonly #options = new Map<string, Options>();
  readonly #aliases = new Map<string, string[]>();
  readonly #examples: (readonly [string, string])[] = [];
  #epilogue = '';

  positional(name: string, options: PositionalOptions & Pick<Options, 'defaultDescription'>): this {
    const { describe = '', defaultDescription } = options;
    this.#positionals.push({
      name,
      text: describe,
      defaultText: defaultDescription,
    });
    return this;
  }

  option(name: string, options: Options): this {
    this.#options.set(name, options);
    for (const alias of [options.alias ?? []].flat()) this.alias(alias, name);
    return this;
  }

  alias(alias: string, name: string): this {
    this.#aliases.set(name, [...(this.#aliases.get(name) ?? []), alias]);
    return this;
  }

  example(command: string, explanation: string): this {
    this.#examples.push([command, explanation]);
    return this;
  }

  epilogue(text: string): this {
    this.#epilogue = text;
    return this;
  }

  help(): CommandHelp {
    const options = [...this.#options].map(([name, given]) =>
      optionHelp([...(this.#aliases.get(name) ?? []), name], given),
    );
    return {
      positionals: this.#positionals,
      options,
      examples: this.#examples,
      epilogue: this.#epilogue,
    };
  }
}

function optionHelp(names: readonly string[], options: Options): OptionHelp {
  const { type, group = 'Options:', describe: whole = '', defaultDescription } = options;

  // A value's placeholder begins the text, as in "SIZE: memory for ...".
  const [, placeholder, rest] = /^(\S+): (.*)$/s.exec(whole) ?? [];
  const takesValue = type === 'string';
  const hasPlaceholder = takesValue && placeholder !== undefined && rest !== undefined;
  return {
    names: names.map((name) => (name.length === 1 ? `-${name}` : `--${name}`)),
    takesValue,
    placeholder: hasPlaceholder ? placeholder : undefined,
    group: group.replace(/:$/, ''),
    text: hasPlaceholder ? rest : whole,
    defaultText: defaultDescription,
  };
}
