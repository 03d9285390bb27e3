/** Names the types that are exported and that no other file imports: what knip leaves out (see knip.config.js). Exits with 1 if there are any. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.dirname(import.meta.dirname);

const files = ['src', 'test', 'scripts'].flatMap((folder) =>
  readdirSync(path.join(root, folder), { recursive: true })
    .filter((name) => /\.c?ts$/.test(name))
    .map((name) => path.join(folder, name)),
);

/** By `FILE#NAME`. */
const exported = new Set();
const imported = new Set();
for (const file of files) {
  const text = readFileSync(path.join(root, file), 'utf8');
  for (const [, name] of text.matchAll(/^export (?:interface|type) (\w+)/gm)) exported.add(`${file}#${name}`);
  for (const [, names, source] of text.matchAll(/^(?:import|export) [^;]*?\{([^}]*)\} from '(\.[^']*)'/gm)) {
    const from = path.join(path.dirname(file), source).replace(/js$/, 'ts');
    for (const name of names.split(',')) imported.add(`${from}#${/(\w+)(?: as |\s*$)/.exec(name)?.[1]}`);
  }
}

const unused = [...exported].filter((name) => !imported.has(name));
for (const name of unused)
  console.error(`${name.replace('#', ': ')} is exported, and no other file imports it`);
process.exitCode = unused.length === 0 ? 0 : 1;
