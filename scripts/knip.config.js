/**
 * Dead code: files that nothing starts or imports, exports that nobody else imports, packages that nobody uses. Entries are what
 * users, tests and scripts start; knip follows the imports from there. It takes a type for used where an export that is used names it:
 * scripts/check-type-exports.js looks at those.
 */
export default {
  entry: [
    'src/cli/run.ts', // loaded by src/main.cts
    'test/**/*.test.ts',
    'scripts/*.{ts,js}',
    'scripts/*/main.ts',
    // Programs that are started by their file name.
    'src/cli/demo/gateway-process.ts',
    'src/staging/cipher-thread-main.ts',
    'scripts/benchmark/{delay-line,reader}.ts',
    'scripts/kernel-benchmark/{server,metadata-loop}.ts',
  ],
  project: ['src/**/*.{ts,cts}', 'test/**/*.ts', 'scripts/**/*.{ts,js}'],
  ignoreBinaries: ['script'], // of Debian's util-linux
};
