/** Folders for tests that share one mount: mounting once is what makes many small tests quick. */
import path from 'node:path';
import { bash, runOk, type ChildOptions } from './child.js';
import { getByBoto3, keysInBucket, makeBucket, python, withBoto3 } from './bucket.js';
import { mountBucket, type Mount } from './mounting.js';
import { makeKeyFile, type KeyFile, type Scope } from './temporary.js';

interface SharedMount {
  readonly bucket: string;
  readonly keyFile: KeyFile;
  readonly mount: Mount;
}

export interface Folder extends SharedMount {
  /** On the mount. */
  readonly directory: string;
  /** Its name in the bucket, ending in a slash. */
  readonly prefix: string;
  /** Bash in this folder; `$1` and on are `args`. */
  sh(script: string, args?: readonly string[], options?: Pick<ChildOptions, 'timeoutMs'>): Promise<string>;
  /** Python in this folder. */
  py(script: string): Promise<string>;
  /** An object's text, from the bucket's side. */
  object(name: string): Promise<string>;
  /** The keys below the prefix, without it. */
  keys(): Promise<string[]>;
  /** For each object below the prefix the MD5 of its bytes, as the bucket gives them; no directories. */
  md5s(): Promise<Record<string, string>>;
}

/** Makes folders on a mount that is made for the first of them and lives as long as `scope`. */
export function foldersOnOneMount(scope: Scope): () => Promise<Folder> {
  let shared: Promise<SharedMount> | undefined;
  let nextFolder = 0;
  return async () => makeFolder(await (shared ??= mountShared(scope)), `folder-${nextFolder++}`);
}

async function mountShared(scope: Scope): Promise<SharedMount> {
  const bucket = await makeBucket(scope);
  const keyFile = await makeKeyFile(scope);
  return { bucket, keyFile, mount: await mountBucket(scope, { bucket, keyFile, logLevel: 'info' }) };
}

async function makeFolder(shared: SharedMount, name: string): Promise<Folder> {
  const { bucket, keyFile, mount } = shared;
  const directory = path.join(mount.directory, name);
  await runOk('mkdir', [directory]);
  const prefix = `${name}/`;
  return {
    ...shared,
    directory,
    prefix,
    sh: (script, args = [], options = {}) =>
      bash(script, args, { timeoutMs: 120_000, ...options, cwd: directory }),
    py: (script) => runOk(python, ['-c', script], { cwd: directory, timeoutMs: 120_000 }),
    object: (key) => getByBoto3(bucket, keyFile, prefix + key),
    keys: async () =>
      (await keysInBucket(bucket))
        .filter((key) => key.startsWith(prefix) && key !== prefix)
        .map((key) => key.slice(prefix.length)),
    md5s: async () =>
      (await withBoto3(
        `
prefix = given['prefix']
answer = {}
for item in listed(prefix):
    if not item['Key'].endswith('/'):
        body = s3.get_object(Bucket=bucket, Key=item['Key'], **key)['Body'].read()
        answer[item['Key'][len(prefix):]] = hashlib.md5(body).hexdigest()
`,
        { bucket, keyFile, prefix },
        { timeoutMs: 120_000 },
      )) as Record<string, string>,
  };
}
