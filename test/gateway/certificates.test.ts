import { X509Certificate } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { loadCertificates } from '../../src/gateway/certificates.js';
import { makeDirectory } from '../mount/temporary.js';

const dayMs = 24 * 3600 * 1000;

test('the certificate is for this machine, signed by the authority, and its key is private', async (t) => {
  const directory = await makeDirectory(t);
  const { authorityFile, certificate } = await loadCertificates(directory, '127.0.0.1', Date.now());
  const authority = new X509Certificate(await readFile(authorityFile));
  const server = new X509Certificate(certificate);
  t.true(authority.ca);
  t.true(server.checkIssued(authority));
  t.true(server.verify(authority.publicKey));
  t.is(server.checkHost('localhost'), 'localhost');
  t.truthy(server.checkIP('127.0.0.1'));
  t.truthy(server.checkIP('::1'));
  for (const name of ['ca.key', 'server.key']) {
    t.is((await stat(path.join(directory, name))).mode & 0o777, 0o600);
  }
});

test('a later start takes what is there, and makes the server a new one for another host or when it runs out', async (t) => {
  const directory = await makeDirectory(t);
  const first = await loadCertificates(directory, '127.0.0.1', Date.now());
  t.deepEqual(await loadCertificates(directory, '127.0.0.1', Date.now()), first);
  const authority = await readFile(first.authorityFile, 'utf8');
  const named = await loadCertificates(directory, 'store.example', Date.now());
  t.truthy(new X509Certificate(named.certificate).checkHost('store.example'));
  const later = await loadCertificates(directory, 'store.example', Date.now() + 380 * dayMs);
  t.not(later.certificate, named.certificate);
  t.is(await readFile(first.authorityFile, 'utf8'), authority);
});

test('a key that does not fit its certificate is replaced together with it', async (t) => {
  const directory = await makeDirectory(t);
  const first = await loadCertificates(directory, '127.0.0.1', Date.now());
  await writeFile(path.join(directory, 'server.key'), await readFile(path.join(directory, 'ca.key')));
  const second = await loadCertificates(directory, '127.0.0.1', Date.now());
  t.not(second.certificate, first.certificate);
});
