/**
 * The forms in which people keep a 32-byte customer key in a file, told apart by length and alphabet. Pure:
 * `customer-key-file.ts` reads the file.
 */
import { customerKeyBytes } from './customer-key.js';

const base64Characters = 44;
const hexCharacters = 64;

const newline = 0x0a;
const carriageReturn = 0x0d;

export type Keystring =
  | { readonly form: 'raw' | 'text' | 'base64' | 'hex'; readonly bytes: Buffer }
  /** `found` describes the content without showing any of it. */
  | { readonly form: 'none'; readonly found: string };

/**
 * Recognises a keystring:
 * - exactly 32 bytes are the key itself, be they random bytes or text; a newline at the end would be part of it,
 *   as it is for a program that reads the file whole;
 * - 32 characters of printable ASCII and a newline;
 * - 44 characters of base64, or 64 of hexadecimal digits, with or without a newline.
 * The newline may be preceded by a carriage return.
 */
export function parseKeystring(content: Buffer): Keystring {
  if (content.length === customerKeyBytes) {
    return { form: isPrintable(content) ? 'text' : 'raw', bytes: Buffer.from(content) };
  }
  const line = withoutFinalNewline(content);
  if (line.length === customerKeyBytes && isPrintable(line)) {
    return { form: 'text', bytes: Buffer.from(line) };
  }
  const text = line.toString('latin1');
  if (line.length === base64Characters && /^[A-Za-z0-9+/]{43}=$/.test(text)) {
    const bytes = Buffer.from(text, 'base64');
    // The last digit carries two bits too many; if they are set, this was not made by an encoder of 32 bytes.
    if (bytes.toString('base64') === text) return { form: 'base64', bytes };
  }
  if (line.length === hexCharacters && /^[0-9A-Fa-f]{64}$/.test(text)) {
    return { form: 'hex', bytes: Buffer.from(text, 'hex') };
  }
  return { form: 'none', found: describe(content, line) };
}

function withoutFinalNewline(content: Buffer): Buffer {
  if (content.at(-1) !== newline) return content;
  return content.subarray(0, content.at(-2) === carriageReturn ? -2 : -1);
}

/** ASCII from space to tilde: what can be typed, and what every program reads as the same bytes. */
function isPrintable(bytes: Buffer): boolean {
  return bytes.every((byte) => byte >= 0x20 && byte <= 0x7e);
}

function describe(content: Buffer, line: Buffer): string {
  if (content.length === 0) return 'nothing: the file is empty';
  if (!isPrintable(line)) {
    return line.includes(newline) && isPrintable(Buffer.from(line.filter((byte) => byte !== newline)))
      ? `${content.length} bytes of text in several lines`
      : `${content.length} bytes that are not all printable ASCII`;
  }
  const end = line.length === content.length ? 'without a final newline' : 'and a final newline';
  return `${line.length} character${line.length === 1 ? '' : 's'} of text ${end}`;
}
