/** The checksums that S3 knows for bodies, fed piece by piece: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

interface Checksum {
  update(piece: Uint8Array): void;
  /** Base64 of the big-endian value. */
  digest(): string;
}

export const checksumNames = ['crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256'] as const;
export type ChecksumName = (typeof checksumNames)[number];

const makers: Readonly<Record<ChecksumName, () => Checksum>> = {
  crc32: () => new Crc32(),
  crc32c: () => new Crc32c(),
  crc64nvme: () => new Crc64Nvme(),
  sha1: () => new Hashed('sha1'),
  sha256: () => new Hashed('sha256'),
};

export function makeChecksum(name: ChecksumName): Checksum {
  return makers[name]();
}

class Hashed implements Checksum {
  readonly #hash;

  constructor(algorithm: string) {
    this.#hash = createHash(algorithm);
  }

  update(piece: Uint8Array): void {
    this.#hash.update(piece);
  }

  digest(): string {
    return this.#hash.digest('base64');
  }
}

class Crc32 implements Checksum {
  #value = 0;

  update(piece: Uint8Array): void {
    this.#value = crc32(piece, this.#value);
  }

  digest(): string {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(this.#value);
    return bytes.toString('base64');
  }
}

/** The Castagnoli polynomial, reflected (RFC 3720). */
const crc32cTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = (value >>> 1) ^ (value & 1 ? 0x82f63b78 : 0);
  return value >>> 0;
});

class Crc32c implements Checksum {
  #value = 0xffffffff;

  update(piece: Uint8Array): void {
    let value = this.#value;
    for (const byte of piece) value = (value >>> 8) ^ (crc32cTable[(value ^ byte) & 0xff] ?? 0);
    this.#value = value;
  }

  digest(): string {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE((this.#value ^ 0xffffffff) >>> 0);
    return bytes.toString('base64');
  }
}

/** The reflected polynomial of NVMe (CRC-64/NVME, 0xad93d23594c93659), as two halves: BigInts would be slow for each byte. */
const crc64Polynomial = 0x9a6c9329ac4bc9b5n;
const crc64High = new Uint32Array(256);
const crc64Low = new Uint32Array(256);
for (let byte = 0; byte < 256; byte += 1) {
  let value = BigInt(byte);
  for (let bit = 0; bit < 8; bit += 1) value = (value >> 1n) ^ (value & 1n ? crc64Polynomial : 0n);
  crc64High[byte] = Number(value >> 32n);
  crc64Low[byte] = Number(value & 0xffffffffn);
}

class Crc64Nvme implements Checksum {
  #high = 0xffffffff;
  #low = 0xffffffff;

  update(piece: Uint8Array): void {
    let high = this.#high;
    let low = this.#low;
    for (const byte of piece) {
      const at = (low ^ byte) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ (crc64Low[at] ?? 0);
      high = (high >>> 8) ^ (crc64High[at] ?? 0);
    }
    this.#high = high;
    this.#low = low;
  }

  digest(): string {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32BE((this.#high ^ 0xffffffff) >>> 0);
    bytes.writeUInt32BE((this.#low ^ 0xffffffff) >>> 0, 4);
    return bytes.toString('base64');
  }
}
