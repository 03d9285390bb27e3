/** Settings as options of a command: declares them to yargs, and reads what was given. */
import type { Options } from 'yargs';
import type { RawValue } from '../settings/setting-values.js';
import { settings, type SettingName } from '../settings/settings.js';
import { switchOf, textOf, textsOf, type ParsedArguments } from './command-line.js';
import type { SettingValues } from './setting-sources.js';

export const durationHelp = 'DURATION is in seconds, or with ms, s, m, h, as in 500ms.';

/** In the form of yargs. */
export function yargsOption(name: SettingName): Options {
  const { placeholder, isList, group, help, defaultText } = settings[name];
  return {
    type: takesValue(name) ? 'string' : 'boolean',
    requiresArg: takesValue(name),
    ...(isList && { array: true }),
    group: `${group}:`,
    describe: placeholder === undefined ? help : `${placeholder}: ${help}`,
    ...(defaultText !== undefined && { defaultDescription: defaultText }),
  };
}

export function takesValue(name: SettingName): boolean {
  return settings[name].placeholder !== undefined;
}

/** What was given of these settings. */
export function readSettingOptions(parsed: ParsedArguments, names: readonly SettingName[]): SettingValues {
  const values: SettingValues = {};
  for (const name of names) {
    const value = readSettingOption(parsed, name);
    if (value !== undefined) values[name] = value;
  }
  return values;
}

function readSettingOption(parsed: ParsedArguments, name: SettingName): RawValue | undefined {
  const { option, isList } = settings[name];
  if (isList) {
    const texts = textsOf(parsed, option);
    return texts.length === 0 ? undefined : texts;
  }
  return takesValue(name) ? textOf(parsed, option) : switchOf(parsed, option);
}
