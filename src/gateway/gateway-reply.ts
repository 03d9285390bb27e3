/** What an operation answers with; the server makes HTTP of it. */
export interface GatewayReply {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** Text is XML or JSON as `headers` say. A stream comes with its content-length. */
  readonly body?: string | AsyncIterable<Uint8Array>;
  /** Call it once, when the reply has been sent or cannot be. */
  readonly done?: () => Promise<void>;
}

export const noContent: GatewayReply = { status: 204, headers: {} };

export function xmlReply(body: string, headers: Readonly<Record<string, string>> = {}): GatewayReply {
  return { status: 200, headers: { 'content-type': 'application/xml', ...headers }, body };
}

/** With the quotes that HTTP wants. */
export function quoted(etag: string): string {
  return `"${etag}"`;
}

export function unquoted(etag: string): string {
  return etag.replaceAll(/^"|"$/g, '');
}

/** As listings show times. */
export function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
