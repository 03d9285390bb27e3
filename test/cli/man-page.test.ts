import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { helpOf, knownOptionsOf } from '../../src/cli/command-help.js';
import { commandName } from '../../src/cli/command-line.js';
import { commands, completionCommand, helpWidth, packageVersion } from '../../src/cli/commands.js';
import { manPage } from '../../src/cli/man-page.js';
import { run } from '../mount/child.js';
import { projectRoot } from '../mount/user.js';

const unescaped = (text: string): string => text.replaceAll('\\-', '-').replaceAll(/\\f[BIR]/g, '');

test('the man page has every command and every option that the command line takes', (t) => {
  const page = unescaped(manPage('1.2.3'));
  for (const command of commands) {
    const names = [commandName(command), ...(command.aliases ?? [])].join(', ');
    const [, section] = page.split(`.SS "${names}"\n`);
    t.truthy(section, names);
    const lines = (section ?? '').split(/^\.S[SH] /m)[0]?.split('\n') ?? [];
    const { values, switches } = knownOptionsOf(command);
    for (const option of [...values, ...switches]) {
      const name = option.length === 1 ? `-${option}` : `--${option}`;
      t.true(
        lines.some((line) => line.split(/[ ,]+/).includes(name)),
        `${names} ${name}`,
      );
    }
  }
  t.true(page.includes(`.SS "${completionCommand}"`));
});

test('the build has made the man page, and package.json names it', async (t) => {
  const {
    man: [man = ''],
  } = JSON.parse(await readFile(path.join(projectRoot, 'package.json'), 'utf8')) as {
    readonly man: readonly string[];
  };
  t.is(await readFile(path.join(projectRoot, man), 'utf8'), manPage(await packageVersion()));
});

test('groff has nothing to say against the man page', async (t) => {
  const options = { input: manPage('1.2.3') };
  const formatter = await run('groff', ['-man', '-Tutf8', '-ww', '-z'], options).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (formatter === undefined) {
    t.log('groff is not installed here');
    t.pass();
    return;
  }
  t.is(formatter.stderr, '');
  t.is(formatter.code, 0);
});

for (const command of commands) {
  test(`the help of ${commandName(command)} has examples, a placeholder for each value, and fits a terminal`, (t) => {
    const { options, examples, epilogue } = helpOf(command);
    t.true(examples.length > 0);
    for (const option of knownOptionsOf(command).values) {
      const name = option.length === 1 ? `-${option}` : `--${option}`;
      const help = options.find(({ names }) => names.includes(name));
      t.truthy(help?.placeholder, name);
      t.notRegex(help?.text ?? '', /Default: /, `${name} tells its default apart from its text`);
    }
    for (const line of epilogue.split('\n')) t.true(line.length <= helpWidth, line);
  });
}
