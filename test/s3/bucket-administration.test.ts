import test, { type ExecutionContext } from 'ava';
import { BucketAdministration } from '../../src/s3/bucket-administration.js';
import { initiated, operationOf, rejects } from './fake-replies.js';
import {
  type Answer,
  answerXml,
  encryptedHeaders,
  makeAccess,
  never,
  refuse,
  silentLog,
  startFakeServer,
  testKey,
} from './fake-server.js';

async function administer(t: ExecutionContext, answer: Answer): Promise<BucketAdministration> {
  const { endpoint } = await startFakeServer(t, answer);
  return new BucketAdministration({ access: makeAccess(t, endpoint), bucket: 'bucket', log: silentLog });
}

/** Answers PUTs whose condition `isRefused` refuses with 412, all else with success; the ETag is `etag`. */
function server(
  isRefused: (ifMatch: string | undefined, ifNoneMatch: string | undefined) => boolean,
): Answer {
  return ({ headers }, response) => {
    if (isRefused(headers['if-match'], headers['if-none-match'])) refuse(response, 412, 'PreconditionFailed');
    else response.writeHead(200, { etag: '"etag"', ...encryptedHeaders }).end();
  };
}

test('how a server judges conditions is found by such as hold and such as do not', async (t) => {
  const present = (none: string | undefined) => none !== undefined;
  const servers: [string, Answer][] = [
    ['right', server((match, none) => (match !== undefined && match !== '"etag"') || present(none))],
    ['right', server((match, none) => (match !== undefined && match !== 'etag') || present(none))],
    ['ignored', server(() => false)],
    ['ignored', server((match) => match !== undefined && match !== '"etag"')],
    // Ceph where a bucket keeps versions.
    ['wrong', server((match) => match !== undefined)],
  ];
  for (const [expected, answer] of servers) {
    const administration = await administer(t, answer);
    t.is(await administration.judgeConditions(testKey, 'customer key', never), expected as 'right');
  }
});

test('a probe that is not encrypted is told of, and deleted', async (t) => {
  const { endpoint, received } = await startFakeServer(t, ({ method }, response) => {
    if (method === 'POST') answerXml(response, initiated);
    else response.writeHead(200, { etag: '"etag"' }).end();
  });
  const administration = new BucketAdministration({
    access: makeAccess(t, endpoint),
    bucket: 'bucket',
    log: silentLog,
  });
  const use = () => Promise.resolve(t.fail());
  await rejects(t, 'NotEncrypting', administration.withProbe(testKey, 'customer key', never, use));
  t.deepEqual(received.map(operationOf), ['PUT', 'DELETE']);
  await rejects(t, 'NotEncrypting', administration.beginUpload(testKey, 'customer key', never));
  t.deepEqual(received.map(operationOf).slice(2), ['CreateMultipartUpload', 'AbortMultipartUpload']);
});

test('versioning is told as the server tells it', async (t) => {
  for (const [xml, expected] of [
    ['', undefined],
    ['<Status>Enabled</Status>', 'Enabled'],
    ['<Status>Suspended</Status>', 'Suspended'],
  ] as const) {
    const administration = await administer(t, (_, response) =>
      answerXml(response, `<VersioningConfiguration>${xml}</VersioningConfiguration>`),
    );
    t.is(await administration.getVersioning(never), expected);
  }
});
