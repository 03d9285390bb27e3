/** The Ceph that the bench runs on, by scripts/rgw, and what clients need to know of it. */
import path from 'node:path';
import { projectRoot } from '../../test/mount/user.js';
import type { Setting } from './measurements.js';
import { runLimited } from './limited-run.js';

export interface ServerAccess {
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** File with the certificate of the authority to trust. */
  readonly authority: string;
}

const program = path.join(projectRoot, 'scripts/rgw');

/**
 * Starts it, or starts it anew with other options; its objects stay. `address` is one that it is to listen on beside
 * loopback, where clients reach it in settings with a delay.
 */
export async function startServer(
  directory: string,
  { nodelay, delayMs }: Setting,
  address: string | undefined,
  signal: AbortSignal,
): Promise<ServerAccess> {
  const limits = { limitSeconds: 240, signal };
  const env = { RGW_NODELAY: String(nodelay), RGW_SIZE: '64G', RGW_ADDRESS: address };
  await runLimited(program, ['stop', directory], limits);
  await runLimited(program, ['start', directory], { ...limits, env });
  const variables = await readEnvironment(directory, limits);
  const variable = (name: string): string => {
    const value = variables.get(name);
    if (value === undefined) throw new Error(`scripts/rgw env does not tell ${name}`);
    return value;
  };
  const endpoint = new URL(variable('AWS_ENDPOINT_URL'));
  if (address !== undefined && delayMs > 0) endpoint.hostname = address;
  return {
    endpoint: endpoint.origin,
    accessKey: variable('AWS_ACCESS_KEY_ID'),
    secretKey: variable('AWS_SECRET_ACCESS_KEY'),
    authority: variable('AWS_CA_BUNDLE'),
  };
}

async function readEnvironment(
  directory: string,
  limits: { readonly limitSeconds: number; readonly signal: AbortSignal },
): Promise<Map<string, string>> {
  const script = 'eval "$("$1" env "$2")" && env -0';
  const { stdout } = await runLimited('bash', ['-c', script, 'bash', program, directory], limits);
  return new Map(
    stdout.split('\0').map((line) => {
      const end = line.indexOf('=');
      return [line.slice(0, end), line.slice(end + 1)];
    }),
  );
}
