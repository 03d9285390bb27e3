/** Turns the value of one setting, as a person wrote it, into what the program uses, or says what was expected. Pure. */
import os from 'node:os';
import path from 'node:path';
import { parseDurationMs, parseSize } from '../units.js';

/** A setting that is missing or makes no sense. The message says in one line what is wrong and what is expected. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** As the sources give it: text, or what TOML makes of it. */
export type RawValue = string | number | boolean | readonly string[];

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

const maxId = 2 ** 32 - 2; // (uid_t) -1 means "no change" to the kernel

export function parseText(value: RawValue): string {
  const text = String(value).trim();
  if (text === '') throw new ConfigError('is empty; give a value or leave it out');
  return text;
}

/** Absolute. A leading `~/` is the home directory: shells do not expand it after `=`, nor in variables and config files. */
export function parsePath(value: RawValue): string {
  const text = parseText(value);
  return path.resolve(text.startsWith('~/') ? path.join(os.homedir(), text.slice(2)) : text);
}

/** A list, or a text in which ':' separates the paths, as in PATH. */
export function parsePaths(value: RawValue): readonly string[] {
  const texts = typeof value === 'object' ? value : String(value).split(':');
  if (texts.length === 0) throw new ConfigError('is empty; give a value or leave it out');
  return Object.freeze(texts.map(parsePath));
}

/** Checks only the form; `src/s3` decides which schemes are allowed where. */
export function parseUrl(value: RawValue): string {
  const text = parseText(value);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.hostname === '') {
    throw new ConfigError(`${JSON.stringify(text)} is not a URL; give it as https://host:port`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new ConfigError(
      'a URL with a user name or password is refused; credentials belong in ~/.aws/credentials',
    );
  }
  return text;
}

export function parseBoolean(value: RawValue): boolean {
  const text = String(value).toLowerCase();
  if (text === 'true' || text === 'yes' || text === '1') return true;
  if (text === 'false' || text === 'no' || text === '0') return false;
  throw new ConfigError(`${JSON.stringify(value)} is neither true nor false`);
}

/** Where to listen. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** `HOST:PORT`, `[IPV6]:PORT`; `:PORT` and `PORT` are on this machine only. Port 0 is any that is free. */
export function parseListenAddress(value: RawValue): ListenAddress {
  const text = parseText(value);
  const [, bracketed, plain, digits] = /^(?:(?:\[([^\]]+)\]|([^:]*)):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (!(port <= 65_535)) {
    throw new ConfigError(`${JSON.stringify(text)} is not HOST:PORT or PORT, like 127.0.0.1:9464`);
  }
  const host = bracketed ?? plain ?? '';
  return { host: host === '' ? '127.0.0.1' : host, port };
}

/** Text only: a number of the config file has lost the zero that says octal. */
export function parseOctal(value: RawValue): number {
  if (typeof value !== 'string' || !/^0?[0-7]{1,3}$/.test(value)) {
    throw new ConfigError(`${JSON.stringify(value)} is not a text of three octal digits like "022"`);
  }
  return Number.parseInt(value, 8);
}

export function parseId(value: RawValue): number {
  return parseWholeNumber(value, 0, maxId);
}

export function parseConnections(value: RawValue): number {
  return parseWholeNumber(value, 1, 1024);
}

export function sizeFrom(minimum: number): (value: RawValue) => number {
  return (value) => {
    const size = parseSize(String(value));
    if (size === undefined) {
      throw new ConfigError(`${JSON.stringify(value)} is not a size; give one like 256MiB, 1G or 65536`);
    }
    if (size < minimum)
      throw new ConfigError(`${JSON.stringify(value)} is too small; at least ${minimum} bytes`);
    return size;
  };
}

/** In milliseconds. */
export function parseDuration(value: RawValue): number {
  const durationMs = parseDurationMs(String(value));
  if (durationMs === undefined || durationMs > maxTimerMs) {
    throw new ConfigError(`${JSON.stringify(value)} is not a duration; give one like 500ms, 30s or 2m`);
  }
  return durationMs;
}

/** In milliseconds, more than 0. */
export function parsePositiveDuration(value: RawValue): number {
  const durationMs = parseDuration(value);
  if (durationMs === 0) throw new ConfigError('must be more than 0');
  return durationMs;
}

export function oneOf<const Choices extends readonly string[]>(
  choices: Choices,
): (value: RawValue) => Choices[number] {
  return (value) => {
    const choice: Choices[number] | undefined = choices.find((candidate) => candidate === value);
    if (choice === undefined)
      throw new ConfigError(`${JSON.stringify(value)} is not one of ${choices.join(', ')}`);
    return choice;
  };
}

/** The longest that a timer of Node can wait. */
const maxTimerMs = 2 ** 31 - 1;

function parseWholeNumber(value: RawValue, minimum: number, maximum: number): number {
  const text = String(value).trim();
  const number = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= minimum && number <= maximum)) {
    throw new ConfigError(`${JSON.stringify(value)} is not a whole number from ${minimum} to ${maximum}`);
  }
  return number;
}
