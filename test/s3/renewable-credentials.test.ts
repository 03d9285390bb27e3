// Credentials that end are renewed in time, and a source that fails for a while is no trouble as long as what it gave is valid.
import type { AwsCredentialIdentity } from '@aws-sdk/types';
import test from 'ava';
import { RenewableCredentials } from '../../src/s3/renewable-credentials.js';
import { TestClock } from '../clock.js';
import { silentLog } from '../silent-log.js';

const minuteMs = 60_000;

/** Credentials for `lifeMs` from a source that counts how often it was asked, and fails while `isFailing`. */
function begin(lifeMs: number | undefined) {
  const clock = new TestClock();
  const nowMs = () => Number(clock.nowNs() / 1_000_000n);
  const source = {
    asked: 0,
    isFailing: false,
    accessKeyId: 'first',
    find: (): Promise<AwsCredentialIdentity> => {
      source.asked += 1;
      if (source.isFailing) return Promise.reject(new Error('the helper fails'));
      return Promise.resolve({
        accessKeyId: source.accessKeyId,
        secretAccessKey: 'secret',
        ...(lifeMs !== undefined && { expiration: new Date(nowMs() + lifeMs) }),
      });
    },
  };
  return {
    clock,
    source,
    credentials: new RenewableCredentials({ find: source.find, clock, log: silentLog }),
  };
}

test('those that do not end are asked for once', async (t) => {
  const { clock, source, credentials } = begin(undefined);
  for (let count = 0; count < 3; count += 1) {
    t.is((await credentials.provide()).accessKeyId, 'first');
    clock.advance(1000 * minuteMs);
  }
  t.is(source.asked, 1);
});

test('those of an hour are renewed five minutes before their end', async (t) => {
  const { clock, source, credentials } = begin(60 * minuteMs);
  await credentials.provide();
  clock.advance(54 * minuteMs);
  await credentials.provide();
  t.is(source.asked, 1);
  source.accessKeyId = 'second';
  clock.advance(2 * minuteMs);
  t.is((await credentials.provide()).accessKeyId, 'second');
  t.is(source.asked, 2);
});

test('those of four minutes are not asked for at each request', async (t) => {
  const { clock, source, credentials } = begin(4 * minuteMs);
  for (let second = 0; second < 119; second += 1) {
    await credentials.provide();
    clock.advance(1000);
  }
  t.is(source.asked, 1);
  clock.advance(5_000);
  await credentials.provide();
  t.is(source.asked, 2);
});

test('a source that fails costs nothing while what it gave is valid, and is asked seldom', async (t) => {
  const { clock, source, credentials } = begin(60 * minuteMs);
  await credentials.provide();
  source.isFailing = true;
  clock.advance(56 * minuteMs);
  for (let second = 0; second < 60; second += 1) {
    t.is((await credentials.provide()).accessKeyId, 'first');
    clock.advance(1000);
  }
  t.true(source.asked <= 8, `${source.asked}`);
  clock.advance(4 * minuteMs);
  await t.throwsAsync(credentials.provide(), { message: 'the helper fails' });
  source.isFailing = false;
  clock.advance(2000);
  t.is((await credentials.provide()).accessKeyId, 'first');
});

test('many who ask at once ask the source once, also when it fails', async (t) => {
  const { source, credentials } = begin(60 * minuteMs);
  source.isFailing = true;
  const failed = await Promise.allSettled(Array.from({ length: 20 }, () => credentials.provide()));
  t.true(failed.every(({ status }) => status === 'rejected'));
  await t.throwsAsync(credentials.provide());
  t.is(source.asked, 1);
});

test('to renew says whether there are others', async (t) => {
  const { source, credentials } = begin(undefined);
  await credentials.provide();
  t.false(await credentials.renew());
  source.accessKeyId = 'second';
  t.true(await credentials.renew());
  t.is((await credentials.provide()).accessKeyId, 'second');
  source.isFailing = true;
  t.false(await credentials.renew());
  t.is((await credentials.provide()).accessKeyId, 'second');
});
