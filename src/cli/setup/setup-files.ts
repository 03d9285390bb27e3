/** Writes the answers of setup to the user's files, and finds what that would replace. */
import { mkdir, readFile, realpath } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { writeDurably } from '../../gateway/storage/durable-files.js';
import { CommandError } from '../command-errors.js';
import { configFileOf } from '../setting-sources.js';
import { changeSettings, settingIn } from './config-text.js';
import { changeSection, configSection, entryIn, type Entries } from './profile-files.js';
import type { AccessKeyPair, Server } from './setup-server.js';

export interface SetupResult {
  readonly profile: string;
  readonly server: Server;
  readonly credentials: AccessKeyPair;
  readonly keyFile: string;
  /** Where buckets are made; undefined: the server decides. */
  readonly location: string | undefined;
}

interface PlannedFile {
  readonly file: string;
  readonly text: string;
  /** Names of settings that have another value now. */
  readonly replaced: readonly string[];
}

/** Writes nothing. Rejects with a `CommandError` if a file cannot be read or changed. */
export async function planFiles(result: SetupResult, environment: NodeJS.ProcessEnv): Promise<PlannedFile[]> {
  const { profile, server, credentials, keyFile, location } = result;
  const { endpoint, region, caBundle } = server;
  const awsDirectory = path.join(os.homedir(), '.aws');
  const section = configSection(profile);
  const credentialEntries = {
    aws_access_key_id: credentials.accessKeyId,
    aws_secret_access_key: credentials.secretAccessKey,
    aws_session_token: undefined,
  };
  const configEntries = { endpoint_url: endpoint, region: region ?? 'us-east-1', ca_bundle: caBundle };
  const settings = { endpoint, region, 'ca-bundle': caBundle, 'key-file': keyFile, profile, location };
  const credentialsFile =
    environment['AWS_SHARED_CREDENTIALS_FILE'] ?? path.join(awsDirectory, 'credentials');
  const configFile = environment['AWS_CONFIG_FILE'] ?? path.join(awsDirectory, 'config');
  return [
    await plan(
      credentialsFile,
      (text) => changeSection(text, profile, credentialEntries),
      (text) => replacedIn(credentialEntries, (name) => entryIn(text, profile, name)),
    ),
    await plan(
      configFile,
      (text) => changeSection(text, section, configEntries),
      (text) => replacedIn(configEntries, (name) => entryIn(text, section, name)),
    ),
    await plan(
      configFileOf(environment),
      (text) => changeSettings(text, settings),
      (text) => replacedIn(settings, (name) => settingIn(text, name)),
    ),
  ];
}

/** Rejects with a `CommandError` that says what was written before. */
export async function writeFiles(files: readonly PlannedFile[]): Promise<void> {
  const written: string[] = [];
  for (const { file, text } of files) {
    try {
      await replaceFile(file, text);
      written.push(file);
    } catch (error) {
      const before = written.length === 0 ? 'nothing was written' : `written were ${written.join(' and ')}`;
      throw new CommandError(`cannot write ${file}: ${(error as Error).message}; ${before}`, {
        cause: error,
      });
    }
  }
}

async function plan(
  file: string,
  change: (text: string) => string,
  replaced: (text: string) => readonly string[],
): Promise<PlannedFile> {
  try {
    const text = await readIfThere(file);
    return { file, text: change(text), replaced: replaced(text) };
  } catch (error) {
    const [reason] = (error as Error).message.split('\n');
    throw new CommandError(`cannot use ${file}: ${reason ?? ''}; nothing was written`, { cause: error });
  }
}

function replacedIn(entries: Entries, valueNow: (name: string) => string | undefined): string[] {
  return Object.keys(entries).filter((name) => ![undefined, entries[name]].includes(valueNow(name)));
}

/** '' if it is missing. Rejects with the system's error. */
async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/**
 * Replaces the file as a whole, for its owner only; a link to it stays a link. Rejects with the system's error, and leaves the old
 * file then.
 */
async function replaceFile(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const target = await realpath(file).catch(() => file);
  await writeDurably(target, text, 0o600);
}
