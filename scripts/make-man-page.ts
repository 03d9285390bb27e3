/** Writes dist/man/osirisfs.1: the last step of `npm run build`. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { manPage } from '../src/cli/man-page.js';
import { packageVersion } from '../src/cli/commands.js';

// From dist/scripts, where this file is when it runs.
const directory = path.resolve(import.meta.dirname, '../man');
await mkdir(directory, { recursive: true });
await writeFile(path.join(directory, 'osirisfs.1'), manPage(await packageVersion()));
