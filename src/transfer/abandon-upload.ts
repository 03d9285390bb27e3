/** The end of a multipart upload that failed. */
import type { ObjectStore, UploadTarget } from '../object-store.js';

/** The caller's signal may have aborted, so this has a limit of its own. */
const abortTimeoutMs = 10_000;

/** Frees the parts that the server has. Never rejects: what ended the upload says more than a failure here. */
export async function abandonUpload(store: ObjectStore, upload: UploadTarget): Promise<void> {
  await store.abortUpload(upload, AbortSignal.timeout(abortTimeoutMs)).catch(() => undefined);
}
