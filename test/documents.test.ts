// What the documents name is there: files, headings, tests, options and commands.
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { commandName } from '../src/cli/command-line.js';
import { commands, completionCommand } from '../src/cli/commands.js';
import { settings } from '../src/settings/settings.js';
import { projectRoot } from './mount/user.js';

/** A newcomer reads it whole. */
const maxReadmeLines = 140;

interface Document {
  /** Relative to the root. */
  readonly name: string;
  readonly text: string;
}

async function readDocuments(): Promise<Document[]> {
  const inDocs = (await readdir(path.join(projectRoot, 'docs'))).map((name) => `docs/${name}`);
  const names = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', ...inDocs.sort()];
  return await Promise.all(names.map(async (name) => ({ name, text: await readDocument(name) })));
}

async function readDocument(name: string): Promise<string> {
  return await readFile(path.join(projectRoot, name), 'utf8');
}

function withoutCodeBlocks(text: string): string {
  return text.replaceAll(/^ *```[^]*?^ *```$/gm, '');
}

/** Of `[text](target)` and of pictures; those on other servers are left out. */
function localLinksOf({ text }: Document): string[] {
  const targets = [...withoutCodeBlocks(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return targets.filter((target) => !/^[a-z]+:/.test(target));
}

/** As GitHub names headings in links. */
function anchorsOf(text: string): string[] {
  return [...withoutCodeBlocks(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Names of files in backquotes, but for patterns such as `test/FOLDER/FILE.test.ts`. */
function filesNamedIn({ text }: Document): string[] {
  const names = [...text.matchAll(/`((?:[\w.-]+\/)*[\w.-]+\.[cm]?[jt]s)`/g)].map(([, name = '']) => name);
  return names.filter((name) => !/[A-Z]/.test(name));
}

/** The cells of each row, without the head of the table. */
function rowsOf(text: string): string[][] {
  const lines = text.split('\n');
  const rows = lines.filter((line, index) => {
    const isHead = lines[index + 1]?.startsWith('| ---') === true;
    return line.startsWith('| ') && !isHead && !line.startsWith('| ---');
  });
  return rows.map((row) => {
    const cells = row.slice(1, row.lastIndexOf('|')).split(/(?<!\\)\|/);
    return cells.map((cell) => cell.trim());
  });
}

test('every link leads to a file, and to a heading in it', async (t) => {
  const documents = await readDocuments();
  for (const document of documents) {
    for (const link of localLinksOf(document)) {
      const [target = '', anchor] = link.split('#');
      const name = target === '' ? document.name : path.join(path.dirname(document.name), target);
      t.true(existsSync(path.join(projectRoot, name)), `${document.name}: ${link}`);
      if (anchor === undefined) continue;
      t.true(anchorsOf(await readDocument(name)).includes(anchor), `${document.name}: ${link}`);
    }
  }
});

test('every file that is named is there', async (t) => {
  for (const document of await readDocuments()) {
    for (const name of filesNamedIn(document)) {
      const isThere = [name, `src/${name}`].some((each) => existsSync(path.join(projectRoot, each)));
      t.true(isThere, `${document.name}: ${name}`);
    }
  }
});

test('every row of the contract names a test, or says that there is none', async (t) => {
  const text = await readDocument('docs/semantics.md');
  const rows = rowsOf(text).filter((cells) => cells.length === 3);
  t.true(rows.length > 50);
  for (const [subject, , tests = ''] of rows) t.regex(tests, /`test\/[\w/.-]+\.test\.ts`|^none$/, subject);
});

test('every option of a mount, and every command, is explained', async (t) => {
  const text = await readDocument('docs/configuration.md');
  for (const { option } of Object.values(settings)) t.regex(text, new RegExp(`\`--${option}[ \`]`), option);
  for (const name of [...commands.map(commandName), completionCommand]) {
    t.regex(text, new RegExp(`\`osirisfs ${name}[ \`]`), name);
  }
});

test('README is short enough to be read', async (t) => {
  const lines = (await readDocument('README.md')).trimEnd().split('\n').length;
  t.true(lines <= maxReadmeLines, `${lines} lines`);
});
