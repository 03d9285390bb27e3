/** How the bucket is mounted by each program: with its defaults, in the foreground, secrets in files and the environment. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { projectRoot } from '../../test/mount/user.js';
import type { MountProgram } from './measurements.js';
import type { Work } from './work.js';

export interface MountCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What ends it with everything stored. */
  readonly unmountBy: 'SIGTERM' | 'fusermount3';
}

/** In words, for the report. */
export const mountOptions: Readonly<Record<MountProgram, string>> = {
  osirisfs: 'default options',
  s3fs: 'default options (no use_cache), use_path_request_style, use_sse=custom',
  rclone:
    'default options; for jobs that write --vfs-cache-mode writes --vfs-write-back 100ms, so that uploads begin at once and not 5 s later',
};

/** `directory` is empty and the program's own; the mountpoint is not in it. */
export async function mountCommand(
  program: MountProgram,
  work: Work,
  directory: string,
  mountpoint: string,
  writes: boolean,
): Promise<MountCommand> {
  const { server, key, bucket } = work;
  // Nothing of whoever runs the bench.
  const inherited = Object.keys(process.env).filter((name) =>
    /^(AWS|XDG|OSIRISFS|RCLONE|S3FS|CURL)_/.test(name),
  );
  const env = { ...Object.fromEntries(inherited.map((name) => [name, undefined])), HOME: directory };
  switch (program) {
    case 'osirisfs': {
      const log = path.join(directory, 'osirisfs.log');
      const runtime = path.join(directory, 'run');
      await mkdir(runtime, { recursive: true, mode: 0o700 });
      return {
        command: process.execPath,
        args: [
          ...[path.join(projectRoot, 'dist/src/main.cjs'), 'mount', bucket.name, mountpoint, '--foreground'],
          ...['--key-file', key.file, '--log-file', log],
        ],
        env: {
          ...env,
          XDG_RUNTIME_DIR: runtime,
          AWS_ENDPOINT_URL: server.endpoint,
          AWS_CA_BUNDLE: server.authority,
          AWS_ACCESS_KEY_ID: server.accessKey,
          AWS_SECRET_ACCESS_KEY: server.secretKey,
        },
        unmountBy: 'SIGTERM',
      };
    }
    case 's3fs': {
      const passwords = path.join(directory, 's3fs.passwd');
      await writeFile(passwords, `${server.accessKey}:${server.secretKey}\n`, { mode: 0o600 });
      return {
        command: 's3fs',
        args: [
          ...[bucket.name, mountpoint, '-f', '-o', `url=${server.endpoint},use_path_request_style`],
          ...['-o', `passwd_file=${passwords},use_sse=custom:${key.file}`],
        ],
        env: { ...env, CURL_CA_BUNDLE: server.authority },
        unmountBy: 'fusermount3',
      };
    }
    case 'rclone': {
      const config = path.join(directory, 'rclone.conf');
      const lines = [
        ...['[bench]', 'type = s3', 'provider = Ceph', `endpoint = ${server.endpoint}`],
        ...[`access_key_id = ${server.accessKey}`, `secret_access_key = ${server.secretKey}`],
        ...['sse_customer_algorithm = AES256', `sse_customer_key = ${key.keystring}`, ''],
      ];
      await writeFile(config, lines.join('\n'), { mode: 0o600 });
      const writing = ['--vfs-cache-mode', 'writes', '--vfs-write-back', '100ms'];
      return {
        command: 'rclone',
        args: [
          ...['mount', `bench:${bucket.name}`, mountpoint, '--config', config],
          ...['--cache-dir', path.join(directory, 'cache'), ...(writes ? writing : [])],
        ],
        env: { ...env, SSL_CERT_FILE: server.authority },
        unmountBy: 'fusermount3',
      };
    }
  }
}
