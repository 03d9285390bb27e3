import { readFile } from 'node:fs/promises';

/** From dist/src/cli, where this file is when it runs. */
export async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { readonly version: string };
  return version;
}
