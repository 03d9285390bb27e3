/** Demands on the server's TLS: its certificate is checked, and comes from these authorities. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import { StoreError } from '../errors.js';

/**
 * For every TLS connection. Set explicitly, since NODE_TLS_REJECT_UNAUTHORIZED and NODE_OPTIONS (`--tls-min-v1.0`) change
 * Node's defaults. A `secureContext` has a `minVersion` of its own, so it is made with these options too.
 */
export const checkedTls = { rejectUnauthorized: true, minVersion: 'TLSv1.2' } as const;

const pemCertificate = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]*-----END (?:TRUSTED )?CERTIFICATE-----/g;

/**
 * Node's roots and those of the PEM files. Undefined if there is no `bundlePath`: Node then uses its defaults, which include
 * `extraPath` (NODE_EXTRA_CA_CERTS), but only as long as nothing is passed. Rejects with a StoreError of code
 * `CertificateRejected` that names the file if it cannot be read or holds no certificate.
 */
export async function loadCertificateAuthorities(
  bundlePath: string | undefined,
  extraPath: string | undefined,
): Promise<readonly string[] | undefined> {
  if (bundlePath === undefined) return undefined;
  const extra = extraPath === undefined || extraPath === '' ? [] : await readExtra(extraPath);
  return [...rootCertificates, ...extra, ...(await readBundle(bundlePath))];
}

async function readBundle(path: string): Promise<readonly string[]> {
  let text: string;
  try {
    text = await readFile(path, 'latin1');
  } catch (error) {
    throw new StoreError('CertificateRejected', `the CA bundle ${path} cannot be read: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  const certificates = text.match(pemCertificate) ?? [];
  if (certificates.length === 0) {
    throw new StoreError('CertificateRejected', `the CA bundle ${path} holds no certificate in PEM form`);
  }
  for (const [index, certificate] of certificates.entries()) {
    try {
      new X509Certificate(certificate);
    } catch (error) {
      throw new StoreError(
        'CertificateRejected',
        `certificate ${index + 1} in the CA bundle ${path} is damaged`,
        { cause: error },
      );
    }
  }
  return certificates;
}

/** Node itself only warns when it cannot use this file. */
async function readExtra(path: string): Promise<readonly string[]> {
  try {
    return await readBundle(path);
  } catch {
    return [];
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
}
