import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { rootCertificates } from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { StoreError } from '../../src/errors.js';
import { loadCertificateAuthorities } from '../../src/http/certificate-authorities.js';
import { makeCertificate, temporaryDirectory } from '../s3/fake-server.js';

test('without a bundle, Node keeps its own defaults', async (t) => {
  t.is(await loadCertificateAuthorities(undefined, '/some/extra.pem'), undefined);
});

test("the bundle's certificates and the extra ones are trusted beside Node's roots", async (t) => {
  const first = await makeCertificate(t);
  const second = await makeCertificate(t);
  const bundle = path.join(await temporaryDirectory(t), 'bundle.pem');
  const text = await readFile(first.authorityPath, 'utf8');
  await writeFile(bundle, `# a comment\r\n${text}\n${first.cert}`);
  const authorities = (await loadCertificateAuthorities(bundle, second.authorityPath)) ?? [];
  t.is(authorities.length, rootCertificates.length + 3);
  t.true(authorities.includes(text.trim()));
});

test('extra certificates that cannot be used are left out, as Node does', async (t) => {
  const { authorityPath } = await makeCertificate(t);
  const authorities = await loadCertificateAuthorities(authorityPath, '/proc/nowhere/extra.pem');
  t.is(authorities?.length, rootCertificates.length + 1);
});

test('a bundle that cannot be used is named, with the reason', async (t) => {
  const directory = await temporaryDirectory(t);
  await rejects(t, '/proc/nowhere/ca.pem', /^the CA bundle \/proc\/nowhere\/ca\.pem cannot be read: ENOENT$/);
  await rejects(t, directory, /cannot be read: EISDIR$/);
  const write = async (name: string, content: string) => {
    const file = path.join(directory, name);
    await writeFile(file, content);
    return file;
  };
  await rejects(t, await write('empty', ''), /holds no certificate in PEM form$/);
  await rejects(
    t,
    await write('key', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'),
    /holds no certificate/,
  );
  const damaged = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  await rejects(t, await write('damaged', damaged), /^certificate 1 in the CA bundle .* is damaged$/);
});

async function rejects(t: ExecutionContext, bundle: string, message: RegExp): Promise<void> {
  const error = await t.throwsAsync(loadCertificateAuthorities(bundle, undefined), {
    instanceOf: StoreError,
    message,
  });
  t.is(error.code, 'CertificateRejected');
}
