/** Content for tests of reading: bytes from a wrong place are found out. */
import { createHash } from 'node:crypto';

const pageBytes = 4096;

/** The same for the same arguments. Each page of 4 KiB begins with its own offset. */
export function patternOf(size: number, name = ''): Buffer {
  const page = Buffer.alloc(pageBytes);
  for (let offset = 0; offset < pageBytes; offset += 32) {
    createHash('sha256').update(`${name} ${offset}`).digest().copy(page, offset);
  }
  const content = Buffer.alloc(size, page);
  for (let offset = 0; offset + 8 <= size; offset += pageBytes) content.writeDoubleLE(offset, offset);
  return content;
}
