/**
 * The program that works on a mount's names, in a process of its own: one system call after the other, as `tar` and `rm` do.
 * Takes the directory, the number of files and the job; prints its operations per second.
 */
import fs from 'node:fs';
import path from 'node:path';
import { coldDirectories, fileName, type MetadataJob } from './file-names.js';

const [root = '', countText = '0', job] = process.argv.slice(2);
const count = Number(countText);
const [asked, listed] = coldDirectories.map((name) => path.join(root, name)) as [string, string];
const made = path.join(root, 'made');

const jobs: Record<MetadataJob, () => void> = {
  'create, close': () => forEachFile((name) => fs.closeSync(fs.openSync(path.join(made, name), 'wx'))),
  'stat, first': () => forEachFile((name) => fs.statSync(path.join(asked, name))),
  'stat of what is missing': () =>
    forEachFile((name) => {
      if (fs.existsSync(path.join(made, `no-${name}`))) throw new Error(`no-${name} is there`);
    }),
  'open, close': () => forEachFile((name) => fs.closeSync(fs.openSync(path.join(asked, name), 'r'))),
  'ls -l, each entry': () => {
    const names = fs.readdirSync(listed);
    for (const name of names) fs.lstatSync(path.join(listed, name));
    if (names.length !== count) throw new Error(`${names.length} entries instead of ${count}`);
  },
  unlink: () => forEachFile((name) => fs.unlinkSync(path.join(made, name))),
};

if (job === undefined || !(job in jobs)) throw new Error('usage: metadata-loop DIRECTORY COUNT JOB');
fs.mkdirSync(made, { recursive: true });
const begunMs = performance.now();
jobs[job as MetadataJob]();
process.stdout.write(String((count * 1000) / (performance.now() - begunMs)));

function forEachFile(operation: (name: string) => void): void {
  for (let index = 0; index < count; index += 1) operation(fileName(index));
}
