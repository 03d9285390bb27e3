/** JSON from files and sockets, which a crash, another version or another program may have damaged. */

/** The fields of a JSON object, none of them checked. Undefined for every other text; the fields of an array are its indices. */
export function parseJsonObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
