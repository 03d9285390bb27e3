/** Recognises an object's customer key without storing it, and protects the object's record against changes. */
import { createHmac, randomBytes } from 'node:crypto';
import type { CustomerKey } from '../../keys/customer-key.js';
import { deriveKey, isEqual, saltBytes } from './sealing.js';

/** Stored with an object that is encrypted; both base64. The customer key does not follow from it. */
export interface Protection {
  readonly salt: string;
  /** A key derived for this purpose only. The same derived key means the same customer key. */
  readonly recognition: string;
}

export function protect(customerKey: CustomerKey): Protection {
  const salt = randomBytes(saltBytes);
  return {
    salt: salt.toString('base64'),
    recognition: deriveKey(customerKey, salt, 'recognition').toString('base64'),
  };
}

export function isKeyOf(protection: Protection, customerKey: CustomerKey): boolean {
  const salt = Buffer.from(protection.salt, 'base64');
  return isEqual(deriveKey(customerKey, salt, 'recognition'), Buffer.from(protection.recognition, 'base64'));
}

/** The key that authenticates the object's record. It decrypts nothing. */
export function recordKeyOf(protection: Protection, customerKey: CustomerKey): Buffer {
  return deriveKey(customerKey, Buffer.from(protection.salt, 'base64'), 'record');
}

/** Hexadecimal HMAC-SHA256. */
export function authenticate(recordKey: Uint8Array, text: string): string {
  return createHmac('sha256', recordKey).update(text).digest('hex');
}

export function isAuthentic(recordKey: Uint8Array, text: string, code: string): boolean {
  return isEqual(Buffer.from(authenticate(recordKey, text)), Buffer.from(code));
}
