/** Texts that are kept for long, such as the attributes of many objects. */

/** V8 copies shorter texts by itself (SlicedString::kMinLength). */
const minSharedLength = 13;

/**
 * The same text in memory of its own. A text that V8 cuts out of a longer one, such as a reply, keeps the longer one in memory.
 */
export function ownText(text: string): string {
  return text.length < minSharedLength ? text : Buffer.from(text).toString();
}
