/**
 * Changes entries in the text of `~/.aws/config` and `~/.aws/credentials`, and leaves everything else as it is, comments and
 * order included (https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html). Pure.
 */

/** An entry that is undefined is removed. */
export type Entries = Readonly<Record<string, string | undefined>>;

/** `section` as it stands between the brackets: `NAME` in credentials, `profile NAME` in config. */
export function changeSection(text: string, section: string, entries: Entries): string {
  const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n');
  const start = lines.findIndex((line) => sectionOf(line) === section);
  if (start === -1) {
    if (lines.length > 0 && lines.at(-1) !== '') lines.push('');
    return joined([...lines, `[${section}]`, ...linesOf(entries)]);
  }
  const next = lines.findIndex((line, index) => index > start && sectionOf(line) !== undefined);
  const end = next === -1 ? lines.length : next;
  const kept = lines.slice(start + 1, end).filter((line) => !((entryNameIn(line) ?? '') in entries));
  return joined([...lines.slice(0, start + 1), ...linesOf(entries), ...kept, ...lines.slice(end)]);
}

/** The value of an entry, undefined if there is none. */
export function entryIn(text: string, section: string, name: string): string | undefined {
  let current: string | undefined;
  for (const line of text.split('\n')) {
    current = sectionOf(line) ?? current;
    if (current === section && entryNameIn(line) === name) return line.slice(line.indexOf('=') + 1).trim();
  }
  return undefined;
}

/** The section of a profile in `~/.aws/config`. */
export function configSection(profile: string): string {
  return profile === 'default' ? profile : `profile ${profile}`;
}

function sectionOf(line: string): string | undefined {
  return /^\s*\[\s*([^\]]*?)\s*\]/.exec(line)?.[1]?.replace(/\s+/g, ' ');
}

/** An indented line belongs to the entry above it. */
function entryNameIn(line: string): string | undefined {
  return /^([^\s=#;][^=]*?)\s*=/.exec(line)?.[1]?.toLowerCase();
}

function linesOf(entries: Entries): string[] {
  return Object.entries(entries).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} = ${value}`],
  );
}

function joined(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
