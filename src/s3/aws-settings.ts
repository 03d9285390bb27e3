/**
 * What the AWS conventions say about the connection: environment and ~/.aws files
 * (https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html). The SDK reads them too, but not for a profile
 * given as an option, and it does not tell what it found. Credentials are left to it.
 */
import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { loadSharedConfigFiles } from '@smithy/shared-ini-file-loader';
import { StoreError } from '../errors.js';
import { writersOf } from '../file-access.js';

export interface AwsSettings {
  readonly profile: string;
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  /** Path of a PEM file. */
  readonly caBundle: string | undefined;
  /** Whether the profile has a program for its credentials. */
  readonly hasCredentialProcess: boolean;
}

type Section = Readonly<Record<string, string | undefined>>;
type Environment = Readonly<Record<string, string | undefined>>;

/** As the loader joins the name of a section with that of an entry in it. */
const separator = '.';

/** Throws a StoreError of code `AccessDenied` if no file has the profile that was asked for by name. */
export async function readAwsSettings(
  profileOption: string | undefined,
  environment: Environment,
): Promise<AwsSettings> {
  await requireOwnSharedFiles();
  const { configFile, credentialsFile } = await loadSharedConfigFiles({ ignoreCache: true });
  const named = profileOption ?? nonEmpty(environment['AWS_PROFILE']);
  const profile = named ?? 'default';
  if (named !== undefined && configFile[named] === undefined && credentialsFile[named] === undefined) {
    throw new StoreError(
      'AccessDenied',
      `the profile ${JSON.stringify(named)} is neither in ~/.aws/config nor in ~/.aws/credentials`,
    );
  }
  const section: Section = { ...credentialsFile[profile], ...configFile[profile] };
  const services: Section | undefined = section['services']
    ? configFile[`services${separator}${section['services']}`]
    : undefined;
  return {
    profile,
    endpoint: endpointOf(section, services, environment),
    region:
      nonEmpty(environment['AWS_REGION']) ??
      nonEmpty(environment['AWS_DEFAULT_REGION']) ??
      nonEmpty(section['region']),
    caBundle: nonEmpty(environment['AWS_CA_BUNDLE']) ?? nonEmpty(section['ca_bundle']),
    hasCredentialProcess: nonEmpty(section['credential_process']) !== undefined,
  };
}

/** Where the loader looks, https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html */
function sharedFiles(): readonly string[] {
  const place = (name: string) => path.join(os.homedir(), '.aws', name);
  return [
    nonEmpty(process.env['AWS_CONFIG_FILE']) ?? place('config'),
    nonEmpty(process.env['AWS_SHARED_CREDENTIALS_FILE']) ?? place('credentials'),
  ];
}

/** Throws a StoreError of code `AccessDenied` if others may write the shared files. */
export async function requireOwnSharedFiles(): Promise<void> {
  for (const file of sharedFiles()) await requireOwnWriters(file);
}

/** These files say where keys and data are sent. Throws a StoreError of code `AccessDenied`. */
async function requireOwnWriters(file: string): Promise<void> {
  let stats: Stats;
  try {
    stats = await stat(file);
  } catch {
    return; // the loader finds nothing there either
  }
  const problem = stats.isFile() ? writersOf(stats, process.env) : undefined;
  if (problem === undefined) return;
  throw new StoreError('AccessDenied', `${file} ${problem}; run: chmod go-w ${file}`);
}

/** https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html */
function endpointOf(
  section: Section,
  services: Section | undefined,
  environment: Environment,
): string | undefined {
  const ignore =
    environment['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS'] ?? section['ignore_configured_endpoint_urls'] ?? '';
  if (ignore.toLowerCase() === 'true') return undefined;
  return (
    nonEmpty(environment['AWS_ENDPOINT_URL_S3']) ??
    nonEmpty(environment['AWS_ENDPOINT_URL']) ??
    nonEmpty(services?.[`s3${separator}endpoint_url`]) ??
    nonEmpty(section['endpoint_url'])
  );
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
