/** Lists the parts of a multipart upload that the server has, to continue an interrupted upload. */
import { ListPartsCommand } from '@aws-sdk/client-s3';
import { StoreError } from '../errors.js';
import type { BucketClient } from './bucket-client.js';
import { unquoteEtag } from './etag.js';
import type { RetryPolicy } from './retry-policy.js';

interface ListedPart {
  readonly partNumber: number;
  readonly size: number;
  readonly etag: string;
}

export class PartLister {
  readonly #bucket: BucketClient;
  readonly #retry: RetryPolicy;

  constructor(bucket: BucketClient, retry: RetryPolicy) {
    this.#bucket = bucket;
    this.#retry = retry;
  }

  /** In ascending order. Undefined if the server no longer knows the upload. */
  async listParts(
    key: string,
    uploadId: string,
    signal: AbortSignal,
  ): Promise<readonly ListedPart[] | undefined> {
    const parts: ListedPart[] = [];
    let marker: string | undefined;
    try {
      do {
        const page = await this.#listPage(key, uploadId, marker, signal);
        parts.push(...page.parts);
        marker = page.next;
      } while (marker !== undefined);
      return parts;
    } catch (error) {
      const isGone =
        error instanceof StoreError && (error.code === 'NoSuchUpload' || error.code === 'NotFound');
      if (!isGone) throw error;
      return undefined;
    }
  }

  async #listPage(key: string, uploadId: string, marker: string | undefined, signal: AbortSignal) {
    const call = { operation: 'listParts', key };
    const send = () =>
      this.#bucket.request(call, signal, (client, input, options) =>
        client.send(
          new ListPartsCommand({
            ...input,
            Key: key,
            UploadId: uploadId,
            ...(marker !== undefined && { PartNumberMarker: marker }),
          }),
          options,
        ),
      );
    const output = await this.#retry.run(`listParts ${key}`, send, signal);
    const parts = (output.Parts ?? []).map(({ PartNumber, Size, ETag }): ListedPart => {
      if (PartNumber === undefined || Size === undefined || ETag === undefined) {
        throw new StoreError('CorruptReply', `listParts ${key}: an entry lacks number, size or ETag`);
      }
      return { partNumber: PartNumber, size: Size, etag: unquoteEtag(ETag) };
    });
    return { parts, next: output.IsTruncated === true ? output.NextPartNumberMarker : undefined };
  }
}
