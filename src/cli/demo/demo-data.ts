/** The directory in which the demo keeps the gateway's data, the customer key and the logs between its runs. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { CustomerKey } from '../../keys/customer-key.js';
import { generateCustomerKeyFile, KeyFileError, readCustomerKeyFile } from '../../keys/customer-key-file.js';
import { tryLockFile } from '../../native/lock-file.js';

export interface DemoData {
  readonly directory: string;
  readonly gatewayDirectory: string;
  readonly gatewayLogFile: string;
  readonly mountLogFile: string;
  readonly keyFile: string;
  readonly customerKey: CustomerKey;
  /** Frees the directory for another demo. The end of the process frees it too. */
  release(): void;
}

/** The directory cannot be used. The message is for users. */
export class DemoDataError extends Error {
  override readonly name = 'DemoDataError';
}

/** Makes what is missing and locks the directory. Rejects with a `DemoDataError` or a `KeyFileError`. */
export async function openDemoData(directory: string): Promise<DemoData> {
  const lock = await lockDirectory(directory);
  if (lock === undefined) {
    throw new DemoDataError(
      `a demo is running already, and has its data in ${directory}; end it, or set XDG_DATA_HOME to run another`,
    );
  }
  try {
    const keyFile = path.join(directory, 'customer.key');
    return {
      directory,
      gatewayDirectory: path.join(directory, 'gateway'),
      gatewayLogFile: path.join(directory, 'gateway.log'),
      mountLogFile: path.join(directory, 'mount.log'),
      keyFile,
      customerKey: await loadCustomerKey(keyFile),
      release: () => lock.release(),
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function lockDirectory(directory: string): Promise<ReturnType<typeof tryLockFile>> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return tryLockFile(path.join(directory, 'demo.lock'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DemoDataError(
      `the demo's data cannot be kept in ${directory} (${reason}); set XDG_DATA_HOME to a directory that you may write`,
      { cause: error },
    );
  }
}

/** As text, since other programs read such a file as it is. */
async function loadCustomerKey(file: string): Promise<CustomerKey> {
  try {
    return await readCustomerKeyFile(file);
  } catch (error) {
    if (!(error instanceof KeyFileError) || error.code !== 'NotFound') throw error;
    return await generateCustomerKeyFile(file, 'text');
  }
}
