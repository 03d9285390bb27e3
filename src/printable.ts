/**
 * Makes names from servers and other users safe for a terminal: characters that steer the terminal, or change the order of the text,
 * are escaped as in JSON.
 */

/** C0 but for line feeds, DEL, C1, and what changes direction or breaks lines (Unicode, Bidi_Control, Zl, Zp). */
const steering = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;
const lineFeed = /\n/g;

/** Keeps line feeds: for text of several lines. JSON stays JSON and means the same. */
export function withoutSteering(text: string): string {
  return text.replace(steering, escaped);
}

/** The same for one line: escapes line feeds too. */
export function inOneLine(text: string): string {
  return withoutSteering(text).replace(lineFeed, escaped);
}

/** A name as one line shows it: as it is, or in quotes with what cannot be shown escaped. */
export function printable(name: string): string {
  return inOneLine(name) === name ? name : inOneLine(JSON.stringify(name));
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
