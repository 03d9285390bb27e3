// `osirisfs doctor` as it is typed: on a gateway where all is well, and with one thing wrong at a time.
import { chmod } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import type { NamedFinding } from '../../../src/cli/doctor/checks.js';
import { startGatewayProcess } from '../../gateway/running-gateway.js';
import { createBucket, withBoto3 } from '../../mount/bucket.js';
import { osirisfs } from '../../mount/mounting.js';
import { makeDirectory, makeKeyFile } from '../../mount/temporary.js';

test.serial(
  'what is right and what is not is a line each, and what depends on it is not checked',
  async (t) => {
    const { env } = await startGatewayProcess(t, path.join(await makeDirectory(t), 'gateway'));
    const bucket = await createBucket(env);
    const keyFile = await makeKeyFile(t);
    await withBoto3(
      `s3.put_object(Bucket=bucket, Key='file', Body=b'x', **key)`,
      { bucket, keyFile },
      { env },
    );
    const doctor = async (args: readonly string[], other: Record<string, string> = {}) => {
      const finished = await osirisfs(['doctor', bucket, '--json', ...args], { env: { ...env, ...other } });
      t.false(finished.stdout.includes(keyFile.keystring));
      t.false(finished.stdout.includes(env['AWS_SECRET_ACCESS_KEY']!));
      const findings = JSON.parse(finished.stdout) as NamedFinding[];
      return { code: finished.code, of: new Map(findings.map((finding) => [finding.name, finding])) };
    };
    const key = ['--key-file', keyFile.path];

    const well = await doctor([...key, '--write']);
    t.is(well.code, 0, JSON.stringify([...well.of.values()]));
    for (const name of [
      'Node',
      'koffi',
      'kernel',
      'DNS',
      'TLS',
      'clock',
      'credentials',
      'bucket',
      'writing',
    ]) {
      t.is(well.of.get(name)?.verdict, 'ok', name);
    }
    t.regex(well.of.get('customer key')!.text, /of 1 objects looked at, the key fits 1/);
    t.is(well.of.get('CopyObject')?.verdict, 'warning'); // as on Ceph 16
    t.is(well.of.get('If-Match')?.verdict, 'ok');
    const listed = await withBoto3(`answer = [item['Key'] for item in listed()]`, { bucket }, { env });
    t.deepEqual(listed, ['file']);

    const untrusted = await doctor(key, { AWS_CA_BUNDLE: '', NODE_EXTRA_CA_CERTS: '' });
    t.is(untrusted.code, 1);
    t.regex(untrusted.of.get('TLS')!.text, /--ca-bundle/);
    t.like(untrusted.of.get('bucket'), { verdict: 'not checked', text: 'because "TLS" failed' });
    t.is(untrusted.of.get('key file')?.verdict, 'ok');

    await chmod(keyFile.path, 0o644);
    const open = await doctor(key);
    t.is(open.code, 1);
    t.regex(open.of.get('key file')!.text, /chmod 600/);
    t.is(open.of.get('bucket')?.verdict, 'ok');
    t.like(open.of.get('customer key'), { verdict: 'not checked', text: 'because "key file" failed' });

    const other = await makeKeyFile(t);
    const wrong = await doctor(['--key-file', other.path]);
    t.regex(wrong.of.get('customer key')!.text, /written with another key/);

    const unreachable = await doctor([], { AWS_ENDPOINT_URL: 'https://127.0.0.1:1' });
    t.is(unreachable.code, 1);
    t.regex(unreachable.of.get('TLS')!.text, /ECONNREFUSED/);
  },
);
