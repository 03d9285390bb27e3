/** The gateway's certificate authority, and the server's certificate signed by it. Made when they are missing. */
import 'reflect-metadata'; // @peculiar/x509 needs it loaded first
import { createPrivateKey, KeyObject, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import path from 'node:path';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { makeDirectoryDurably, writeDurably } from './storage/durable-files.js';

interface Certificates {
  /** For clients to trust: AWS_CA_BUNDLE. */
  readonly authorityFile: string;
  /** PEM, as node:tls wants them. */
  readonly certificate: string;
  readonly privateKey: string;
}

const dayMs = 24 * 3600 * 1000;
const authorityDays = 3650;
/** The longest validity that programs accept of a server. */
const serverDays = 397;
/** A server certificate that is valid for less is replaced. */
const renewDays = 30;
/** Clocks of other machines may be a little behind. */
const backdatedMs = dayMs;

const localNames = ['localhost', '127.0.0.1', '::1'];
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

interface Pair {
  readonly certificate: string;
  readonly privateKey: string;
}

/** `host`: a further name or address under which the server is reached. Rejects with the system's error. */
export async function loadCertificates(
  directory: string,
  host: string,
  nowMs: number,
): Promise<Certificates> {
  await makeDirectoryDurably(directory);
  const authorityFile = path.join(directory, 'ca.crt');
  const serverFile = path.join(directory, 'server.crt');
  const names = [...new Set([...localNames, host])];
  let authority = await readPair(authorityFile);
  let server = await readPair(serverFile);
  if (authority === undefined || !isValid(authority, nowMs)) {
    authority = await makeAuthority(nowMs);
    await writePair(authorityFile, authority);
    server = undefined;
  }
  if (server === undefined || !isValid(server, nowMs) || !names.every((name) => covers(server, name))) {
    server = await makeServer(authority, names, nowMs);
    await writePair(serverFile, server);
  }
  return { authorityFile, ...server };
}

async function makeAuthority(nowMs: number): Promise<Pair> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const name = `CN=osirisfs gateway ${randomBytes(4).toString('hex')}`;
  const certificate = await X509CertificateGenerator.create({
    ...validity(nowMs, authorityDays),
    serialNumber: serialNumber(),
    subject: name,
    issuer: name,
    publicKey: keys.publicKey,
    signingKey: keys.privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: certificate.toString('pem'), privateKey: pemOf(keys.privateKey) };
}

async function makeServer(authority: Pair, names: readonly string[], nowMs: number): Promise<Pair> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const pkcs8 = createPrivateKey(authority.privateKey).export({ type: 'pkcs8', format: 'der' });
  const signingKey = await webcrypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']);
  const issuer = new X509Certificate(authority.certificate);
  const spki = issuer.publicKey.export({ type: 'spki', format: 'der' });
  const issuerKey = await webcrypto.subtle.importKey('spki', spki, algorithm, true, ['verify']);
  const certificate = await X509CertificateGenerator.create({
    ...validity(nowMs, serverDays),
    serialNumber: serialNumber(),
    subject: 'CN=localhost',
    issuer: issuer.subject,
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
      ),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(issuerKey),
    ],
  });
  return { certificate: certificate.toString('pem'), privateKey: pemOf(keys.privateKey) };
}

function validity(nowMs: number, days: number): { readonly notBefore: Date; readonly notAfter: Date } {
  return { notBefore: new Date(nowMs - backdatedMs), notAfter: new Date(nowMs + days * dayMs) };
}

/** Positive, as RFC 5280 wants it. */
function serialNumber(): string {
  return `01${randomBytes(15).toString('hex')}`;
}

function pemOf(key: webcrypto.CryptoKey): string {
  return KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }).toString();
}

function isValid({ certificate }: Pair, nowMs: number): boolean {
  const { validFrom, validTo } = new X509Certificate(certificate);
  return Date.parse(validFrom) <= nowMs && Date.parse(validTo) > nowMs + renewDays * dayMs;
}

function covers(pair: Pair | undefined, name: string): boolean {
  if (pair === undefined) return false;
  const certificate = new X509Certificate(pair.certificate);
  return (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined;
}

function keyFileOf(certificateFile: string): string {
  return certificateFile.replace(/\.crt$/, '.key');
}

async function readPair(certificateFile: string): Promise<Pair | undefined> {
  try {
    const [certificate, privateKey] = await Promise.all([
      readFile(certificateFile, 'utf8'),
      readFile(keyFileOf(certificateFile), 'utf8'),
    ]);
    // A crash between the two files leaves a pair that does not fit.
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(privateKey))
      ? { certificate, privateKey }
      : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function writePair(certificateFile: string, { certificate, privateKey }: Pair): Promise<void> {
  await writeDurably(keyFileOf(certificateFile), privateKey);
  await writeDurably(certificateFile, certificate, 0o644);
}
