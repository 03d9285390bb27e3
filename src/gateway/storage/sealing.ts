/**
 * The cryptography of stored objects: keys derived from the customer key, and AES-256-GCM over chunks, so that a range
 * can be read without the rest. Pure; files are left to data-files.ts.
 */
import { createCipheriv, createDecipheriv, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { CustomerKey } from '../../keys/customer-key.js';

/** Plaintext bytes of every chunk but the last, which has fewer only at the end of a segment. */
export const chunkBytes = 64 * 1024;
/** How much longer a chunk is on disk than in plaintext: GCM's tag. */
export const tagBytes = 16;
/** Length of salts: as long as the derived keys, so that no two segments ever share one. */
export const saltBytes = 32;

const cipher = 'aes-256-gcm';
const keyBytes = 32;
const nonceBytes = 12;

/** What a derived key is for. A key for one purpose reveals nothing about the others. */
type Purpose = 'segment' | 'record' | 'recognition';

/** HKDF-SHA256 (RFC 5869). */
export function deriveKey(customerKey: CustomerKey, salt: Uint8Array, purpose: Purpose): Buffer {
  const secret = Buffer.from(customerKey.toBase64(), 'base64');
  return Buffer.from(hkdfSync('sha256', secret, salt, `osirisfs gateway ${purpose}`, keyBytes));
}

/** Something else than the gateway changed a file, or the disk lost bytes. */
export class DamagedFileError extends Error {
  override readonly name = 'DamagedFileError';
}

/**
 * Ciphertext and tag. Use each index only once with a key. The nonce holds the index and whether the chunk is the last, so that
 * chunks cannot be exchanged, repeated or cut off at the end.
 */
export function sealChunk(key: Uint8Array, index: number, isLast: boolean, plaintext: Uint8Array): Buffer {
  const sealing = createCipheriv(cipher, key, nonceOf(index, isLast), { authTagLength: tagBytes });
  return Buffer.concat([sealing.update(plaintext), sealing.final(), sealing.getAuthTag()]);
}

/** Throws a `DamagedFileError` unless `sealChunk` made it with this key and these arguments. */
export function openChunk(key: Uint8Array, index: number, isLast: boolean, sealed: Uint8Array): Buffer {
  if (sealed.length < tagBytes) throw new DamagedFileError(`chunk ${index} is cut short`);
  const opening = createDecipheriv(cipher, key, nonceOf(index, isLast), { authTagLength: tagBytes });
  opening.setAuthTag(sealed.subarray(sealed.length - tagBytes));
  const plaintext = opening.update(sealed.subarray(0, sealed.length - tagBytes));
  try {
    opening.final();
  } catch (cause) {
    throw new DamagedFileError(`chunk ${index} is not what was stored`, { cause });
  }
  return plaintext;
}

/** An empty segment has one empty chunk, so that it is authenticated too. */
export function chunkCountOf(size: number): number {
  return Math.max(1, Math.ceil(size / chunkBytes));
}

export function sealedSizeOf(size: number): number {
  return size + chunkCountOf(size) * tagBytes;
}

export function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function nonceOf(index: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(nonceBytes);
  nonce.writeUInt8(isLast ? 1 : 0, 0);
  nonce.writeBigUInt64BE(BigInt(index), nonceBytes - 8);
  return nonce;
}
