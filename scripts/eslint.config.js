// Lint: strict type-checked rules, and the layers of the design (fuse → vfs → cache → s3) with the reason in each message.
import path from 'node:path';
import tseslint from 'typescript-eslint';
import prettier from 'eslint-config-prettier';

const root = path.dirname(import.meta.dirname);

/** Which folder of src owns which outside packages; nobody else may import them. */
const packageOwners = {
  fuse: ['koffi', 'fuse-native'],
  cache: ['lru-cache'],
  s3: ['@aws-sdk/*', '@smithy/*'],
  cli: ['yargs', 'yargs/*'],
};

/** What each folder of src may not import: data flows one way, layers meet only in the seams at the top of src. */
const layerRules = {
  fuse: ['vfs', 'cache', 's3', 'keys', 'gateway'],
  vfs: ['fuse', 's3', 'keys', 'gateway'],
  cache: ['fuse', 'vfs', 's3', 'keys', 'gateway'],
  s3: ['fuse', 'vfs', 'cache', 'keys', 'gateway'],
  keys: ['fuse', 'vfs', 'cache', 's3', 'gateway'],
  gateway: ['fuse', 'vfs', 'cache', 's3', 'keys'],
};

function restrictImports(folder) {
  const patterns = [];
  for (const [owner, packages] of Object.entries(packageOwners)) {
    if (owner !== folder) {
      patterns.push({
        group: packages,
        message: `Only src/${owner} may import this package: one folder owns each outside package.`,
      });
    }
  }
  for (const other of layerRules[folder] ?? []) {
    patterns.push({
      group: [`**/${other}/*`],
      message: `src/${folder} may not import src/${other}: data flows fuse → vfs → cache → s3, and layers meet in src/file-system.ts, src/object-store.ts and src/errors.ts.`,
    });
  }
  if (folder !== 'cli' && folder !== 'top') {
    patterns.push({
      group: ['**/mount.js', '**/cli/*', '**/config.js', '**/main.js'],
      message:
        'Nothing below the top imports mount, cli or config: they wire the layers, not the other way round.',
    });
  }
  return { 'no-restricted-imports': ['error', { patterns }] };
}

const folders = [...new Set([...Object.keys(layerRules), 'cli'])];

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', 'coverage/**'] },
  {
    files: ['src/**/*.ts', 'test/**/*.ts', 'scripts/**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: root } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  { files: ['src/*.ts'], rules: restrictImports('top') },
  ...folders.map((folder) => ({ files: [`src/${folder}/**/*.ts`], rules: restrictImports(folder) })),
  { files: ['test/**/*.ts'], rules: { '@typescript-eslint/no-non-null-assertion': 'off' } },
  prettier,
);
