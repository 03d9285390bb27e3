// Lint: strict type-checked rules, and the layers of the design (fuse → vfs → staging / cache → s3 → http) with the reason in each message.
import path from 'node:path';
import tseslint from 'typescript-eslint';
import prettier from 'eslint-config-prettier';

const root = path.dirname(import.meta.dirname);

/**
 * Which folder of src owns which outside packages; nobody else may import them. `native` holds the system calls that
 * Node lacks and others get passed in; `fuse` has too many of its own to be passed each.
 */
const packageOwners = [
  { owners: ['native', 'fuse'], packages: ['koffi'] },
  { owners: ['fuse'], packages: ['fuse-native'] },
  { owners: ['cache', 'vfs'], packages: ['lru-cache'] },
  { owners: ['s3'], packages: ['@aws-sdk/*', '@smithy/*'] },
  { owners: ['http'], packages: ['http-parser-js'] },
  { owners: ['gateway'], packages: ['koa', '@peculiar/x509', 'reflect-metadata', 'fast-xml-parser'] },
  { owners: ['cli'], packages: ['yargs', 'yargs/*', '@clack/prompts'] },
  { owners: ['cli', 'cli/setup'], packages: ['smol-toml'] },
];

/** What each folder of src may not import: data flows one way, layers meet only in the seams at the top of src. */
const layerRules = {
  account: ['fuse', 'cache', 'staging', 's3', 'http', 'keys', 'gateway', 'native', 'transfer'],
  fuse: ['account', 'vfs', 'cache', 'staging', 's3', 'http', 'keys', 'gateway', 'transfer'],
  vfs: ['account', 'fuse', 's3', 'http', 'keys', 'gateway', 'native', 'transfer'],
  cache: ['account', 'fuse', 'vfs', 'staging', 's3', 'http', 'keys', 'gateway', 'native', 'transfer'],
  staging: ['account', 'fuse', 'vfs', 's3', 'http', 'keys', 'gateway', 'native', 'transfer'],
  transfer: ['fuse', 's3', 'http', 'keys', 'gateway', 'native'],
  s3: ['account', 'fuse', 'vfs', 'cache', 'staging', 'keys', 'gateway', 'native', 'transfer'],
  http: ['account', 'fuse', 'vfs', 'cache', 'staging', 's3', 'keys', 'gateway', 'native', 'transfer'],
  keys: ['fuse', 'vfs', 'cache', 'staging', 's3', 'http', 'gateway', 'native', 'transfer'],
  gateway: ['fuse', 'vfs', 'cache', 'staging', 's3', 'http', 'keys', 'native', 'transfer'],
  native: ['fuse', 'vfs', 'cache', 'staging', 's3', 'http', 'keys', 'gateway', 'transfer'],
  policy: ['fuse', 'vfs', 'cache', 'staging', 'keys', 'gateway', 'native', 'transfer'],
  'cli/demo': ['fuse', 'vfs', 'cache', 'staging', 's3', 'http'],
  'cli/setup': ['fuse', 'vfs', 'cache', 'staging', 'keys', 'native'],
  'cli/doctor': ['fuse', 'vfs', 'cache', 'staging', 'gateway', 'native', 'transfer', 'status'],
  'cli/status': [
    'fuse',
    'vfs',
    'cache',
    'staging',
    's3',
    'http',
    'keys',
    'gateway',
    'native',
    'transfer',
    'doctor',
    '../policy',
  ],
};

layerRules.concurrency = Object.keys(layerRules);
layerRules.settings = [...Object.keys(layerRules)];
layerRules.mount = ['gateway', 'transfer'];

/** What others may import all the same: a key, but not where it comes from. */
const everybodys = { keys: ['!**/keys/customer-key.js', '!**/keys/key-ring.js'] };

/**
 * In those folders of commands X-command.ts and run-X.ts meet the user, and so belong to the command line, and these files do. All
 * others are told everything by them.
 */
const facingTheUser = {
  'cli/demo': ['demo-text'],
  'cli/setup': ['setup-files', 'questions'],
  'cli/doctor': [],
  'cli/status': [],
};

/** Of the layers that carry data none knows it; only cli and the top of src use it. (src/gateway has a policy of its own.) */
const layers = ['fuse', 'vfs', 'cache', 'staging', 's3', 'http', 'keys', 'gateway', 'native', 'transfer'];
for (const layer of layers) {
  if (layer !== 'gateway') layerRules[layer] = [...layerRules[layer], 'policy'];
}

function restrictImports(folder) {
  const patterns = [];
  for (const { owners, packages } of packageOwners) {
    if (!owners.includes(folder)) {
      patterns.push({
        group: packages,
        message: `Only src/${owners.join(' and src/')} may import this package: one folder owns each outside package.`,
      });
    }
  }
  for (const other of layerRules[folder] ?? []) {
    patterns.push({
      group: [`**/${other}/*`, ...(everybodys[other] ?? [])],
      message: `src/${folder} may not import src/${other}: data flows fuse → vfs → staging → cache → s3 → http, and layers meet in src/file-system.ts, src/object-store.ts and src/errors.ts.`,
    });
  }
  if (folder in facingTheUser) {
    patterns.push({
      regex: String.raw`^\.\./[^.]`,
      message:
        "A command's work does not import the command line, which uses it, nor the folder of another command.",
    });
  }
  if (folder === 'top') {
    patterns.push({
      group: ['./*/*'],
      message: 'What everybody may import knows nobody. (main.cts starts the command line.)',
    });
  } else if (folder !== 'cli') {
    const above = ['mount', 'settings'].filter((other) => folder !== 'mount' && folder !== other);
    patterns.push({
      group: [...above.map((other) => `**/${other}/*`), '**/cli/*', '**/main.cjs'],
      message: 'No layer imports mount, settings or cli: they wire the layers, not the other way round.',
    });
  }
  return { 'no-restricted-imports': ['error', { patterns }] };
}

/** Tests decide nothing by chance that test/seed.ts does not know: every run does the same. Random bytes as content are fine. */
const chanceRules = {
  'no-restricted-imports': [
    'error',
    {
      paths: [
        { name: 'fast-check', message: 'Import fc from test/seed.ts, which gives it a fixed seed.' },
        {
          name: 'node:crypto',
          importNames: ['randomInt', 'getRandomValues', 'webcrypto'],
          message: 'Take testSeed from test/seed.ts: tests decide nothing by chance.',
        },
      ],
    },
  ],
  'no-restricted-properties': [
    'error',
    {
      object: 'Math',
      property: 'random',
      message: 'Take testSeed from test/seed.ts: tests decide nothing by chance.',
    },
  ],
};

/** One place makes what others have named harmless for the terminal. */
const printsToTerminal = {
  selector: 'CallExpression[callee.property.name="write"][callee.object.property.name=/^std(out|err)$/]',
  message: 'Print by src/cli/terminal.ts, line-output.ts or progress-display.ts, which steer no terminal.',
};

/** Searching a log for failures needs one name, and `err` is the one that pino gives errors. */
const logsErrorByAnotherName = {
  selector:
    'CallExpression[callee.property.name=/^(trace|debug|info|warn|error|level)$/] > ObjectExpression.arguments:first-child > Property[key.name="error"]',
  message: 'An error is logged as `err`.',
};

const printingFiles = ['src/cli/terminal.ts', 'src/cli/line-output.ts', 'src/cli/progress-display.ts'];

// The folders of commands after the whole of cli: the last rule counts.
const folders = ['cli', ...Object.keys(layerRules)];

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', 'coverage/**'] },
  {
    files: ['src/**/*.ts', 'src/main.cts', 'test/**/*.ts', 'scripts/**/*.ts'],
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
  ...folders.map((folder) => ({
    files: [`src/${folder}/**/*.ts`],
    ignores:
      folder in facingTheUser
        ? ['*-command', 'run-*', ...facingTheUser[folder]].map((name) => `src/${folder}/${name}.ts`)
        : [],
    rules: restrictImports(folder),
  })),
  {
    files: ['src/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', printsToTerminal, logsErrorByAnotherName] },
  },
  { files: printingFiles, rules: { 'no-restricted-syntax': ['error', logsErrorByAnotherName] } },
  { files: ['test/**/*.ts'], rules: { '@typescript-eslint/no-non-null-assertion': 'off' } },
  { files: ['test/**/*.ts'], ignores: ['test/seed.ts'], rules: chanceRules },
  prettier,
);
