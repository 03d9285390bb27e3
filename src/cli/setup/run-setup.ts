/** `osirisfs setup`: from answers, given as options or asked for, to a bucket that `osirisfs mount` finds. */
import { readFile, rm, stat } from 'node:fs/promises';
import { text as readStream } from 'node:stream/consumers';
import { isBucketName } from '../../bucket-name.js';
import { StoreError } from '../../errors.js';
import { generateCustomerKeyFile, KeyFileError, readCustomerKeyFile } from '../../keys/customer-key-file.js';
import { limitCoreDumps } from '../../native/limit-core-dumps.js';
import { madeSentence } from '../../s3/create-bucket.js';
import {
  bucketLocation,
  bucketPrefix,
  firstReachable,
  isOsiris,
  osirisSites,
  siteNames,
} from '../../s3/osiris-sites.js';
import { ConfigError, oneOf, parsePath, parseText, parseUrl } from '../../settings/setting-values.js';
import { CommandError, UsageError } from '../command-errors.js';
import { switchOf, textOf, type ParsedArguments } from '../command-line.js';
import { explainError } from '../explain-error.js';
import { variableOf } from '../setting-sources.js';
import { announce, quoteWhereNeeded } from '../terminal.js';
import { askChoice, askSecret, askText, askYesOrNo, canAsk, reject } from './questions.js';
import { planFiles, writeFiles, type SetupResult } from './setup-files.js';
import {
  checkCredentials,
  checkCustomerKey,
  checkServer,
  findBucket,
  makeBucketAt,
  type AccessKeyPair,
  type Server,
} from './setup-server.js';

/** The answers that options and environment give. Missing ones are asked for. */
interface Given {
  readonly site: (typeof siteNames)[number] | undefined;
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  readonly caBundle: string | undefined;
  readonly accessKey: string | undefined;
  readonly secretKey: string | undefined;
  readonly organisation: string | undefined;
  readonly bucket: string | undefined;
  readonly keyFile: string | undefined;
  readonly profile: string;
  readonly yes: boolean;
}

/** A longer list is not shown. */
const maxOfferedBuckets = 30;
const refusals = [StoreError, KeyFileError, ConfigError, CommandError];

/** Resolves with the exit code. */
export async function runSetup(parsed: ParsedArguments, defaultProfile: string): Promise<number> {
  limitCoreDumps();
  const given = await readGiven(parsed, defaultProfile);
  Reflect.deleteProperty(process.env, 'AWS_PROFILE'); // may name the profile that setup makes
  const server = await chooseServer(given);
  const { credentials, buckets } = await chooseCredentials(given, server);
  const { bucket, location } = await chooseBucket(given, server, credentials, buckets);
  const keyFile = await chooseKeyFile(given, server, credentials, bucket);
  await writeDown({ profile: given.profile, server, credentials, keyFile, location }, given.yes);
  const directory = quoteWhereNeeded(bucket);
  announce(`mount it: mkdir -p ~/${directory} && osirisfs mount ${directory} ~/${directory}`);
  return 0;
}

async function readGiven(parsed: ParsedArguments, defaultProfile: string): Promise<Given> {
  const take = <T>(option: string, parse: (text: string) => T, variable?: string): T | undefined => {
    const value = textOf(parsed, option);
    const text = value ?? (variable === undefined ? undefined : process.env[variable]) ?? '';
    if (value === undefined && text === '') return undefined;
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      throw new UsageError(`${value === undefined ? (variable ?? '') : `--${option}`}: ${error.message}`);
    }
  };
  const site = take('site', oneOf(siteNames));
  const endpointOption = take('endpoint', parseEndpointText);
  if (site !== undefined && endpointOption !== undefined) {
    throw new UsageError('--site and --endpoint both name a server; give one of them');
  }
  const accessKey = take('access-key', parseToken, 'AWS_ACCESS_KEY_ID');
  return {
    site,
    endpoint: site === undefined ? take('endpoint', parseEndpointText, variableOf('endpoint')) : undefined,
    region: take('region', parseToken, variableOf('region')),
    caBundle: take('ca-bundle', parsePath, variableOf('ca-bundle')),
    accessKey,
    secretKey: accessKey === undefined ? undefined : await readSecret(take('secret-file', parseText)),
    organisation: take('organisation', parseOrganisation),
    bucket: take('bucket', parseBucketName),
    keyFile: take('key-file', parsePath, variableOf('key-file')),
    profile: take('profile', parseToken, variableOf('profile')) ?? defaultProfile,
    yes: switchOf(parsed, 'yes') ?? false,
  };
}

async function readSecret(file: string | undefined): Promise<string | undefined> {
  const variable = process.env['AWS_SECRET_ACCESS_KEY'] ?? '';
  if (file === undefined) return variable === '' ? undefined : parseToken(variable);
  const name = file === '-' ? 'standard input' : parsePath(file);
  try {
    if (file !== '-') {
      const stats = await stat(name);
      if (stats.isFile() && (stats.mode & 0o077) !== 0) {
        throw new ConfigError(`others than its owner have access; run: chmod 600 ${name}`);
      }
    }
    return parseToken(file === '-' ? await readStream(process.stdin) : await readFile(name, 'utf8'));
  } catch (error) {
    throw new CommandError(`the secret key in ${name}: ${(error as Error).message}`, { cause: error });
  }
}

async function chooseServer(given: Given): Promise<Server> {
  const { region, caBundle } = given;
  const check = async (endpoint: string): Promise<Server> => {
    const server = { endpoint, region, caBundle };
    await checkServer(server);
    announce(`${endpoint} is an S3 server and can be reached`);
    return server;
  };
  const checkSite = async (site: (typeof siteNames)[number]): Promise<Server> => {
    const sites = osirisSites.filter(({ name }) => site === 'auto' || name === site);
    const found = await firstReachable(sites, ({ endpoint }) =>
      checkServer({ endpoint, region, caBundle }),
    ).catch((error: unknown) => {
      throw new CommandError((error as Error).message, { cause: error });
    });
    return await check(found.endpoint);
  };
  if (given.site !== undefined) return await checkSite(given.site);
  return await settle(given.endpoint, '--site or --endpoint', askEndpointOrSite, (answer) =>
    isSiteName(answer) ? checkSite(answer) : check(answer),
  );
}

function isSiteName(answer: string): answer is (typeof siteNames)[number] {
  return (siteNames as readonly string[]).includes(answer);
}

async function askEndpointOrSite(): Promise<string> {
  const sites = osirisSites
    .filter(({ name }) => isSiteName(name))
    .map(({ name, description }) => ({ value: name, label: `OSiRIS: ${description}` }));
  const answer = await askChoice('Which S3 server?', [
    { value: 'auto', label: 'OSiRIS: whichever of its gateways can be reached' },
    ...sites,
    { value: 'other', label: 'another' },
  ]);
  return answer === 'other' ? parseEndpointText(await askText('Its address', 'https://')) : answer;
}

async function chooseCredentials(
  given: Given,
  server: Server,
): Promise<{ readonly credentials: AccessKeyPair; readonly buckets: readonly string[] }> {
  const { accessKey, secretKey } = given;
  const all =
    accessKey === undefined || secretKey === undefined
      ? undefined
      : { accessKeyId: accessKey, secretAccessKey: secretKey };
  const missing =
    accessKey === undefined ? '--access-key' : 'the secret key (--secret-file or AWS_SECRET_ACCESS_KEY)';
  const ask = async (): Promise<AccessKeyPair> => ({
    accessKeyId: accessKey ?? parseToken(await askText('Access key')),
    secretAccessKey: secretKey ?? parseToken(await askSecret('Secret key')),
  });
  return await settle(all, missing, ask, async (credentials) => {
    const buckets = await checkCredentials(server, credentials);
    announce(`the server knows the access key ${credentials.accessKeyId}, and the secret key is right`);
    return { credentials, buckets: buckets ?? [] };
  });
}

async function chooseBucket(
  given: Given,
  server: Server,
  credentials: AccessKeyPair,
  known: readonly string[],
): Promise<{ readonly bucket: string; readonly location: string | undefined }> {
  const isAtOsiris = given.organisation !== undefined || isOsiris(new URL(server.endpoint));
  let organisation = given.organisation;
  const ask = async (): Promise<string> => {
    const offered = known.slice(0, maxOfferedBuckets).map((name) => ({ value: name, label: name }));
    const other = { value: '', label: 'another, or a new one' };
    const answer = offered.length === 0 ? '' : await askChoice('Which bucket?', [...offered, other]);
    if (answer !== '') return answer;
    if (isAtOsiris) organisation ??= parseOrganisation(await askText('Your virtual organisation (COU)'));
    const prefix = organisation === undefined ? '' : bucketPrefix(organisation);
    return parseBucketName(await askText('Bucket (made if it is missing)', prefix));
  };
  return await settle(given.bucket, '--bucket', ask, async (bucket) => {
    // Also where other buckets are made later, by a mount.
    const location = isAtOsiris && organisation !== undefined ? bucketLocation(organisation) : undefined;
    if (await findBucket(server, credentials, bucket)) {
      announce(`the bucket ${bucket} is there`);
      return { bucket, location };
    }
    if (isAtOsiris) requirePrefix(bucket, organisation);
    await requireConsent(given.yes, `There is no bucket ${bucket}. Make it?`, `there is no bucket ${bucket}`);
    const made = await makeBucketAt(server, credentials, bucket, location ?? '');
    announce(madeSentence(bucket, location ?? '', made));
    return { bucket, location };
  });
}

function requirePrefix(bucket: string, organisation: string | undefined): void {
  if (organisation === undefined) {
    throw new CommandError(
      `there is no bucket ${bucket}; to make it at OSiRIS name your virtual organisation by --organisation`,
    );
  }
  const prefix = bucketPrefix(organisation);
  if (bucket.startsWith(prefix) && bucket.length > prefix.length) return;
  throw new CommandError(
    `there is no bucket ${bucket}, and buckets of the virtual organisation ${organisation} have to begin with ${prefix}`,
  );
}

async function chooseKeyFile(
  given: Given,
  server: Server,
  credentials: AccessKeyPair,
  bucket: string,
): Promise<string> {
  const ask = async (): Promise<string> =>
    parsePath(await askText('File of the customer key (made if it is missing)', `~/${bucket}.key`));
  return await settle(given.keyFile, '--key-file', ask, async (file) => {
    const { customerKey, isNew } = await readOrMakeKey(file, given.yes);
    try {
      const { encrypted } = await checkCustomerKey(server, credentials, bucket, customerKey);
      const found =
        encrypted === 0 ? 'nothing is encrypted in the bucket yet' : 'it decrypts what is in the bucket';
      announce(`the customer key ${customerKey.fingerprint} is in ${file}; ${found}`);
    } catch (error) {
      if (!isNew) throw error;
      await rm(file); // nobody has used it
      if (!(error instanceof StoreError) || error.code !== 'WrongCustomerKey') throw error;
      throw new CommandError(
        `the objects in ${bucket} are encrypted under another key than a new one; name the file that holds it`,
        { cause: error },
      );
    }
    if (isNew)
      announce('Keep a copy of it in a safe place: nobody can read the data without it, you included.');
    return file;
  });
}

async function readOrMakeKey(file: string, yes: boolean) {
  try {
    return { customerKey: await readCustomerKeyFile(file), isNew: false };
  } catch (error) {
    if (!(error instanceof KeyFileError) || error.code !== 'NotFound') throw error;
    await requireConsent(yes, `There is no file ${file}. Make a customer key there?`, error.message);
    return { customerKey: await generateCustomerKeyFile(file, 'base64'), isNew: true };
  }
}

async function writeDown(result: SetupResult, yes: boolean): Promise<void> {
  const files = await planFiles(result, process.env);
  const replaced = files.flatMap(({ file, replaced: names }) =>
    names.length === 0 ? [] : [`${names.join(', ')} in ${file}`],
  );
  if (replaced.length > 0) {
    const what = replaced.join(' and ');
    await requireConsent(
      yes,
      `Replace ${what}?`,
      `there are other values already: ${what}; nothing was written`,
    );
  }
  await writeFiles(files);
  announce(`written: ${files.map(({ file }) => file).join(', ')}`);
}

/** An answer from the options must pass the check. A question is asked again until its answer passes. */
async function settle<Answer, Result>(
  given: Answer | undefined,
  missing: string,
  ask: () => Promise<Answer>,
  check: (answer: Answer) => Promise<Result>,
): Promise<Result> {
  if (given !== undefined) return await check(given);
  if (!canAsk()) throw new UsageError(`${missing} is missing, and there is no terminal to ask at`);
  for (;;) {
    try {
      return await check(await ask());
    } catch (error) {
      if (!refusals.some((kind) => error instanceof kind)) throw error;
      reject(explainError(error).line);
    }
  }
}

async function requireConsent(yes: boolean, question: string, refusal: string): Promise<void> {
  if (yes) return;
  if (!canAsk()) throw new CommandError(`${refusal}; --yes goes on all the same`);
  if (!(await askYesOrNo(question))) throw new CommandError(refusal);
}

function parseEndpointText(text: string): string {
  return parseUrl(parseToken(text)).replace(/\/+$/, '');
}

/** What fits on a line of the files. */
function parseToken(text: string): string {
  const token = parseText(text);
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new ConfigError('has spaces or characters that are not ASCII in it');
  }
  return token;
}

function parseOrganisation(text: string): string {
  if (!/^[A-Za-z0-9-]+$/.test(text))
    throw new ConfigError(`${JSON.stringify(text)} is not letters, digits and -`);
  return text;
}

function parseBucketName(text: string): string {
  if (!isBucketName(text)) {
    throw new ConfigError(`${JSON.stringify(text)} is not the name of a bucket: letters, digits, - and .`);
  }
  return text;
}
