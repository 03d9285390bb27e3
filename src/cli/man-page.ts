/** Makes the man page osirisfs(1) from the data of the help, in the form of man(7). Pure. */
import { helpOf, type OptionHelp, type PositionalHelp } from './command-help.js';
import { commandName, type Command } from './command-line.js';
import { commands, completionCommand, completionDescription, programDescription } from './commands.js';

/** The description of the whole program. The help of a single command does not have it. */
const outro = `.SH EXIT STATUS
.TP
.B 0
Success.
.TP
.B 1
The command failed; one line on standard error says why, and what to do.
.TP
.B 2
The command line makes no sense.
.SH ENVIRONMENT
.TP
.B OSIRISFS_*
An option each:
.B OSIRISFS_CACHE_SIZE
stands for
.BR \\-\\-cache\\-size .
.TP
.B OSIRISFS_CONFIG
Another config file.
.TP
.BR AWS_ACCESS_KEY_ID ", " AWS_SECRET_ACCESS_KEY ", " AWS_PROFILE ", " AWS_REGION ", " AWS_ENDPOINT_URL ", " AWS_CA_BUNDLE
As for every AWS program.
.SH FILES
.TP
.I ~/.config/osirisfs/config.toml
Options, as
.RI \\(dq cache\\-size " = \\(dq1GiB\\(dq\\(dq."
.TP
.IR ~/.aws/credentials ", " ~/.aws/config
Access keys, and profiles with endpoint and region.
.TP
.I ~/.local/state/osirisfs
Logs of mounts in the background.
.SH SEE ALSO
.BR fusermount3 (1),
.BR fuse (4),
.BR fstab (5),
.BR mount (8)
`;

/** Ends in a newline. */
export function manPage(version: string): string {
  const words = programDescription.replace('$0 ', '').replace(/\.$/, '');
  return [
    `.TH OSIRISFS 1 "" "osirisfs ${version}" "User Commands"`,
    '.SH NAME',
    `osirisfs \\- ${escape(words.replace(/^shows/, 'show'))}`,
    '.SH SYNOPSIS',
    ...commands.flatMap((command) => ['.br', synopsisOf(command)]).slice(1),
    '.SH DESCRIPTION',
    paragraph(programDescription.replace('$0', 'osirisfs')),
    '.SH COMMANDS',
    ...commands.flatMap(commandSection),
    `.SS "${completionCommand}"`,
    paragraph(sentence(completionDescription)),
    outro,
  ].join('\n');
}

/** `.B osirisfs mount` and the positionals in italics; what may be missing is in brackets. */
function synopsisOf(command: Command): string {
  const positionals = command.usage.split(' ').slice(1).map(positionalMark);
  return [`\\fBosirisfs ${commandName(command)}\\fR [\\fIoptions\\fR]`, ...positionals].join(' ');
}

function positionalMark(word: string): string {
  const name = `\\fI${escape(word.replace(/[<>[\].]/g, '').toUpperCase())}\\fR`;
  const repeated = word.includes('..') ? `${name} ...` : name;
  return word.startsWith('[') ? `[${repeated}]` : repeated;
}

function commandSection(command: Command): string[] {
  const { positionals, options, examples, epilogue } = helpOf(command);
  const names = [commandName(command), ...(command.aliases ?? [])].join(', ');
  const lines = [`.SS "${names}"`, synopsisOf(command), paragraph(sentence(command.summary))];
  lines.push(...positionals.map(positionalItem));
  const groups = [...new Set(options.map(({ group }) => group))];
  for (const group of groups) {
    if (groups.length > 1) lines.push('.PP', `${escape(group)}:`);
    lines.push(...options.filter((option) => option.group === group).map(optionItem));
  }
  for (const text of epilogue.split('\n\n').filter((each) => each !== '')) lines.push(paragraph(text));
  if (examples.length > 0) lines.push('.PP', 'Examples:');
  for (const [line, explanation] of examples) {
    lines.push('.TP', `\\fB${escape(line.replace('$0', 'osirisfs'))}\\fR`, text(explanation));
  }
  return lines;
}

function positionalItem({ name, text: describe, defaultText }: PositionalHelp): string {
  return ['.TP', `\\fI${name.toUpperCase()}\\fR`, text(withDefault(describe, defaultText))].join('\n');
}

function optionItem({ names, placeholder, text: describe, defaultText }: OptionHelp): string {
  const value = placeholder === undefined ? '' : ` \\fI${escape(placeholder)}\\fR`;
  const heading = names.map((name) => `\\fB${escape(name)}\\fR`).join(', ') + value;
  return ['.TP', heading, text(withDefault(describe, defaultText))].join('\n');
}

function withDefault(describe: string, defaultText: string | undefined): string {
  return defaultText === undefined ? sentence(describe) : `${sentence(describe)} Default: ${defaultText}.`;
}

function sentence(words: string): string {
  const capital = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.?!]$/.test(capital) ? capital : `${capital}.`;
}

function paragraph(words: string): string {
  return `.PP\n${text(words)}`;
}

/** Lines of text. No line may begin like a request of groff. */
function text(words: string): string {
  return words
    .split('\n')
    .map((line) => escape(line.trim()).replace(/^([.'])/, '\\&$1'))
    .join('\n');
}

/** groff_char(7): what would become typographic, and backslashes. */
function escape(words: string): string {
  return words
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti');
}
