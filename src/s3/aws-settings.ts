/**
 * What the AWS conventions say about the connection: environment and ~/.aws files
 * (https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html). The SDK reads them too, but not for a profile
 * given as an option, and it does not tell what it found. Credentials are left to it.
 */
import { loadSharedConfigFiles } from '@smithy/shared-ini-file-loader';
import { StoreError } from '../errors.js';

export interface AwsSettings {
  readonly profile: string;
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  /** Path of a PEM file. */
  readonly caBundle: string | undefined;
}

type Section = Readonly<Record<string, string | undefined>>;
type Environment = Readonly<Record<string, string | undefined>>;

/** As the loader joins the name of a section with that of an entry in it. */
const separator = '.';

/** Throws a StoreError of code `AccessDenied` if a profile is asked for by name and is nowhere. */
export async function readAwsSettings(
  profileOption: string | undefined,
  environment: Environment,
): Promise<AwsSettings> {
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
  };
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
