/** What stores of a server that has tags do with them: their own interface cannot make any. */
import { GetObjectTaggingCommand, PutObjectTaggingCommand, type S3Client } from '@aws-sdk/client-s3';
import type { ExecutionContext, TestFn } from 'ava';
import { headersOf } from '../../src/object-headers.js';
import type { ObjectStore } from '../../src/object-store.js';

interface TaggedPlace {
  readonly store: ObjectStore;
  readonly client: S3Client;
  readonly bucket: string;
  /** Begins every key that the test uses. */
  readonly prefix: string;
}

const never = new AbortController().signal;
const tags = [
  { Key: 'team', Value: 'a b' },
  { Key: 'what', Value: '50% of 1+1=2' },
];

/** Defines the test. */
export function objectTagsTest(
  test: TestFn,
  title: string,
  makePlace: (t: ExecutionContext) => TaggedPlace | Promise<TaggedPlace>,
): void {
  test(`${title}: tags go along with an object that is written again, in whichever way`, async (t) => {
    const { store, client, bucket, prefix } = await makePlace(t);
    const [sourceKey, movedKey] = [`${prefix}source`, `${prefix}moved`];
    const content = Buffer.alloc(600_000, 'more than what is sent again to be copied');
    const headers = { metadata: { mode: '33188' } };
    const tagsOf = async (key: string) => {
      const { TagSet = [] } = await client.send(new GetObjectTaggingCommand({ Bucket: bucket, Key: key }));
      return TagSet.toSorted((a, b) => ((a.Key ?? '') < (b.Key ?? '') ? -1 : 1));
    };
    await store.put({ key: sourceKey, body: [content], headers, condition: {} }, never);
    t.is((await store.head(sourceKey, never)).hasTags, undefined);
    await client.send(
      new PutObjectTaggingCommand({ Bucket: bucket, Key: sourceKey, Tagging: { TagSet: tags } }),
    );
    const source = await store.head(sourceKey, never);
    t.true(source.hasTags);

    await store.copy({ source, targetKey: movedKey, headers: headersOf(source), condition: {} }, never);
    t.deepEqual(await tagsOf(movedKey), tags);
    const moved = await store.head(movedKey, never);
    t.true(moved.hasTags);

    await store.put(
      {
        key: movedKey,
        body: [Buffer.from('x')],
        headers: headersOf(moved),
        condition: { ifMatch: moved.etag },
      },
      never,
    );
    t.deepEqual(await tagsOf(movedKey), tags);

    const uploadId = await store.createUpload({ key: movedKey, headers: headersOf(moved) }, never);
    const part = await store.uploadPart(
      { key: movedKey, uploadId, partNumber: 1, body: [Buffer.from('part')] },
      never,
    );
    await store.completeUpload({ key: movedKey, uploadId, parts: [part], condition: {} }, never);
    t.deepEqual(await tagsOf(movedKey), tags);

    await store.put({ key: movedKey, body: [Buffer.from('x')], headers, condition: {} }, never);
    t.deepEqual(await tagsOf(movedKey), []);
  });
}
