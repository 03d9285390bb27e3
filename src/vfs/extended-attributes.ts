/**
 * Extended attributes in an object's metadata, in s3fs's form: the header `x-amz-meta-xattr` holds the percent-encoded
 * JSON of an object that maps each name to the base64 of its value.
 */

/** The metadata name, after `x-amz-meta-`. */
export const extendedAttributesName = 'xattr';

export function encodeExtendedAttributes(attributes: ReadonlyMap<string, Uint8Array>): string {
  const record = Object.fromEntries(
    [...attributes].map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
  );
  return encodeURIComponent(JSON.stringify(record));
}

/** Most have none. */
export const noExtendedAttributes: ReadonlyMap<string, Uint8Array> = new Map();

/** What cannot be understood was not written as s3fs writes it, and shows as no attributes. */
export function decodeExtendedAttributes(text: string | undefined): ReadonlyMap<string, Uint8Array> {
  if (text === undefined) return noExtendedAttributes;
  let record: unknown;
  try {
    record = JSON.parse(decodeURIComponent(text));
  } catch {
    return noExtendedAttributes;
  }
  if (typeof record !== 'object' || record === null) return noExtendedAttributes;
  return new Map(
    Object.entries(record)
      .filter((pair): pair is [string, string] => typeof pair[1] === 'string')
      .map(([name, value]) => [name, Buffer.from(value, 'base64')]),
  );
}
