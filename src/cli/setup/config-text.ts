/** Changes settings in the text of the config file, a flat TOML table, and leaves the rest as it is. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'smol-toml';

/**
 * A setting that is undefined is removed. Throws if the text is not TOML, or has the setting in a form that cannot be changed line by
 * line.
 */
export function changeSettings(text: string, settings: Readonly<Record<string, string | undefined>>): string {
  const before = parse(text);
  const kept = text.split('\n').filter((line) => !(settingNameIn(line) in settings));
  while (kept.at(-1) === '') kept.pop();
  const given = Object.entries(settings).filter((entry): entry is [string, string] => entry[1] !== undefined);
  // At the top: below the head of a table they would belong to that table.
  const changed = [...given.map(([name, value]) => `${name} = ${JSON.stringify(value)}`), ...kept, ''].join(
    '\n',
  );
  const others = Object.fromEntries(Object.entries(before).filter(([name]) => !(name in settings)));
  if (!isDeepStrictEqual({ ...parse(changed) }, { ...others, ...Object.fromEntries(given) })) {
    throw new Error(`has ${Object.keys(settings).join(', ')} in a form that cannot be changed here`);
  }
  return changed;
}

/** As text; undefined if it is not there. Throws if the text is not TOML. */
export function settingIn(text: string, name: string): string | undefined {
  const value = parse(text)[name];
  return typeof value === 'object' ? JSON.stringify(value) : value?.toString();
}

function settingNameIn(line: string): string {
  return /^\s*["']?([\w-]+)["']?\s*=/.exec(line)?.[1] ?? '';
}
