/** What the changes of a file make of its bytes. */

export function resized(content: Buffer, size: number): Buffer {
  const result = Buffer.alloc(size);
  content.copy(result);
  return result;
}

export function spliced(content: Buffer, offset: number, data: Buffer): Buffer {
  const result = resized(content, Math.max(content.length, offset + data.length));
  data.copy(result, offset);
  return result;
}

/** With zeros instead of what there is; a range past the end makes it no longer. */
export function zeroed(content: Buffer, offset: number, length: number): Buffer {
  const result = Buffer.from(content);
  const end = Math.min(content.length, offset + length);
  return end > offset ? result.fill(0, offset, end) : result;
}

/** Where two contents differ, for an error. */
export function difference(expected: Buffer | undefined, got: Buffer | undefined): string {
  if (!expected || !got)
    return `${got ? `${got.length} bytes` : 'nothing'}, not ${expected?.length ?? 'nothing'}`;
  if (expected.length !== got.length) return `${got.length} bytes, not ${expected.length}`;
  const at = expected.findIndex((byte, position) => byte !== got[position]);
  return `byte ${at} is ${got[at] ?? -1}, not ${expected[at] ?? -1}`;
}
