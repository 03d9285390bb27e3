import test, { type ExecutionContext } from 'ava';
import { StoreError } from '../../src/errors.js';
import { isLoopback, parseEndpoint } from '../../src/s3/endpoint.js';

test('https is taken for granted where no scheme is given', (t) => {
  t.is(parseEndpoint('s3.example.org', false).href, 'https://s3.example.org/');
  t.is(parseEndpoint('s3.example.org:8443', false).href, 'https://s3.example.org:8443/');
  t.is(parseEndpoint('https://s3.example.org/base', false).href, 'https://s3.example.org/base');
});

test('plain http is for loopback, and only if it is allowed', (t) => {
  for (const host of ['127.0.0.1:8080', 'localhost', '[::1]:80', '127.9.9.9', 'x.localhost']) {
    t.is(parseEndpoint(`http://${host}`, true).protocol, 'http:');
    refuses(t, `http://${host}`, false, /is plain http: use https$/);
  }
  for (const host of [
    's3.example.org',
    '10.0.0.1',
    '127.0.0.1.example.org',
    'localhost.example.org',
    '[::2]',
  ])
    refuses(t, `http://${host}`, true, /would send the customer key in the clear: use https$/);
});

test('what is no endpoint is refused, saying why', (t) => {
  refuses(t, '', true, /is not a URL/);
  refuses(t, 'https://', true, /is not a URL/);
  refuses(t, 'https://a b', true, /is not a URL/);
  refuses(t, 'ftp://s3.example.org', true, /is not a URL of https/);
  refuses(t, 'https://s3.example.org/?x=1', true, /must not contain \?/);
});

test('a password in an endpoint is refused and not repeated', (t) => {
  const error = t.throws(() => parseEndpoint('https://user:hush@s3.example.org', true), {
    instanceOf: StoreError,
  });
  t.false(error.message.includes('hush'));
});

test('loopback hosts are known by their names', (t) => {
  t.true(isLoopback('127.0.0.1'));
  t.false(isLoopback('128.0.0.1'));
  t.false(isLoopback('127.example.org'));
});

function refuses(t: ExecutionContext, text: string, allowPlainHttp: boolean, message: RegExp): void {
  const error = t.throws(
    () => parseEndpoint(text, allowPlainHttp),
    { instanceOf: StoreError, message },
    text,
  );
  t.is(error.code, 'InvalidRequest');
}
