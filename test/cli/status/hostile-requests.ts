/** Odd and broken HTTP requests, each sent on a connection of its own. */
import { createConnection } from 'node:net';

const host = 'Host: localhost\r\n';

/** Named by their fault. All but the last few are complete requests. */
export const hostileRequests: Readonly<Record<string, string>> = {
  'two slashes': `GET // HTTP/1.1\r\n${host}\r\n`,
  'no URL': `GET http://[ HTTP/1.1\r\n${host}\r\n`,
  'the asterisk form': `OPTIONS * HTTP/1.1\r\n${host}\r\n`,
  'the asterisk form of GET': `GET * HTTP/1.1\r\n${host}\r\n`,
  'the absolute form': `GET http://elsewhere.example/metrics HTTP/1.1\r\n${host}\r\n`,
  'the authority form': `CONNECT elsewhere.example:443 HTTP/1.1\r\n${host}\r\n`,
  'a bad escape': `GET /%zz%e0%a4%a HTTP/1.1\r\n${host}\r\n`,
  'bytes beyond ASCII': `GET /\u00ff\u0080 HTTP/1.1\r\n${host}\r\n`,
  'a query without an end': `GET /metrics?${'?'.repeat(4_000)} HTTP/1.1\r\n${host}\r\n`,
  'a long line': `GET /${'a'.repeat(100_000)} HTTP/1.1\r\n${host}\r\n`,
  'many headers': `GET / HTTP/1.1\r\n${host}${'a: b\r\n'.repeat(5_000)}\r\n`,
  'no host': 'GET / HTTP/1.1\r\n\r\n',
  'no host, as HTTP/1.0 may': 'GET // HTTP/1.0\r\n\r\n',
  'a host that is none': 'GET /metrics HTTP/1.1\r\nHost: [::1:]:x/..\r\n\r\n',
  'an upgrade': `GET // HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n`,
  'an expectation': `PUT // HTTP/1.1\r\n${host}Expect: miracles\r\nContent-Length: 1\r\n\r\n`,
  'two lengths': `GET / HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`,
  'a negative length': `POST / HTTP/1.1\r\n${host}Content-Length: -1\r\n\r\n`,
  'a bad chunk': `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`,
  'no HTTP': '\u0000\u0001\u0002\u00ff\r\n\r\n',
  TLS: '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003',
  nothing: '',
};

/** Sends the text, byte by character, ends its side, and resolves with what came until the connection was closed. */
export async function sendRaw(port: number, text: string): Promise<string> {
  return await new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1');
    let received = '';
    socket.setEncoding('latin1').on('data', (data: string) => (received += data));
    socket.on('error', () => undefined); // the server may close before it has read everything
    socket.once('close', () => resolve(received));
    socket.end(text, 'latin1');
  });
}
