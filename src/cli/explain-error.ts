/** Turns the error that ended a command into one line for the user and an exit code. */
import { StoreError } from '../errors.js';
import { MountError } from '../fuse/driver.js';
import { KeyFileError } from '../keys/customer-key-file.js';
import { MountpointError } from '../mount/mountpoint.js';
import { ConfigError } from '../settings/setting-values.js';
import { LocalFailure } from '../transfer/transfer-error.js';
import { CommandError, UsageError } from './command-errors.js';
import { Interrupted } from './stop-signal.js';

export const exitFailure = 1;
const exitUsage = 2;
/** 128 and the number of SIGINT, as shells count. */
export const exitInterrupted = 130;

export interface Explanation {
  readonly line: string;
  readonly exitCode: number;
}

/** The errors whose message is made for users. */
const failures = [CommandError, LocalFailure, KeyFileError, MountpointError, MountError, StoreError];
const usageErrors = [UsageError, ConfigError];

export function explainError(error: unknown): Explanation {
  if (usageErrors.some((kind) => error instanceof kind)) return { line: lineOf(error), exitCode: exitUsage };
  if (failures.some((kind) => error instanceof kind)) return { line: lineOf(error), exitCode: exitFailure };
  if (error instanceof Interrupted) return { line: error.message, exitCode: exitInterrupted };
  const name = error instanceof Error ? `${error.name}: ` : '';
  return { line: `unexpected error: ${name}${lineOf(error)}`, exitCode: exitFailure };
}

function lineOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.trim().replace(/\s*\n\s*/g, '; ');
}
