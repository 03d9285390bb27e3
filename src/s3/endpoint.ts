/** Which server to talk to, and that the customer key reaches it encrypted. */
import { isIPv4 } from 'node:net';
import { StoreError } from '../errors.js';

/**
 * The endpoint as a URL: `https://` is taken for granted where no scheme is given. Throws a StoreError of code
 * `InvalidRequest` if it is not a URL of http or https, or if it is http and not (`allowPlainHttp` and loopback).
 */
export function parseEndpoint(text: string, allowPlainHttp: boolean): URL {
  const invalid = (why: string) =>
    new StoreError('InvalidRequest', `the endpoint ${JSON.stringify(text)} ${why}`);
  const url = toUrl(text.includes('://') ? text : `https://${text}`);
  if (url === undefined || url.hostname === '') throw invalid('is not a URL such as https://s3.example.org');
  if (url.username !== '' || url.password !== '') {
    throw new StoreError('InvalidRequest', 'the endpoint must not contain a user name or a password');
  }
  if (url.search !== '' || url.hash !== '') throw invalid('must not contain ? or #');
  if (url.protocol === 'https:') return url;
  if (url.protocol !== 'http:') throw invalid('is not a URL of https');
  if (!isLoopback(url.hostname)) {
    throw invalid('is plain http, which would send the customer key in the clear: use https');
  }
  if (!allowPlainHttp) throw invalid('is plain http: use https');
  return url;
}

/** Whether the host, as in `URL.hostname`, is this machine by its very name. */
export function isLoopback(hostname: string): boolean {
  if (hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]') return true;
  return isIPv4(hostname) && hostname.startsWith('127.');
}

function toUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
