/**
 * Puts the modules of dist/src together into few files in dist/src/bundle, which is what `osirisfs` runs: Node takes about a
 * millisecond for each file that it loads. Packages stay as they are installed. A step of `npm run build`.
 */
import path from 'node:path';
import { build } from 'esbuild';

// From dist/scripts, where this file is when it runs.
const source = path.resolve(import.meta.dirname, '../src');

await build({
  // The command line, and what is started by its file name from a module beside it. All in one directory that lies as deep as those
  // of the modules, so that names relative to a module hold.
  entryPoints: ['cli/run.js', 'staging/cipher-thread-main.js', 'cli/demo/gateway-process.js'].map((file) =>
    path.join(source, file),
  ),
  outdir: path.join(source, 'bundle'),
  entryNames: '[name]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  sourcemap: true,
  logLevel: 'warning',
});
