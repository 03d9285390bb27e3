/** Texts that are kept for long, as attributes of many objects are. */

/** Shorter ones V8 copies by itself (its SlicedString::kMinLength). */
const minSharedLength = 13;

/** The same text in memory of its own: what V8 cuts out of a longer text, as a reply is, keeps all of that. */
export function ownText(text: string): string {
  return text.length < minSharedLength ? text : Buffer.from(text).toString();
}
