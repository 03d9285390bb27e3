import test from 'ava';
import { isLike, requireAllowed } from '../../../src/gateway/policy/evaluate-policy.js';
import { parsePolicy } from '../../../src/gateway/policy/parse-policy.js';
import { S3Error } from '../../../src/gateway/s3-error.js';

const header = 'x-amz-server-side-encryption';

function denies(condition: object, sent: Record<string, string>, negatesMissing: boolean): boolean {
  const text = JSON.stringify({
    Version: '2012-10-17',
    Statement: {
      Effect: 'Deny',
      Principal: '*',
      Action: 's3:PutObject',
      Resource: 'arn:aws:s3:::b/*',
      Condition: condition,
    },
  });
  const question = { action: 's3:PutObject', resource: 'b/key', sent, isSecure: true } as const;
  try {
    requireAllowed(parsePolicy(text, 'b'), question, negatesMissing);
    return false;
  } catch (error) {
    if (error instanceof S3Error && error.code === 'AccessDenied') return true;
    throw error;
  }
}

test('Null is about whether the header was sent', (t) => {
  const isMissing = { Null: { [`s3:${header}`]: 'true' } };
  t.true(denies(isMissing, {}, false));
  t.false(denies(isMissing, { [header]: 'AES256' }, false));
});

test('StringNotEquals holds for a missing header on AWS and not on RGW', (t) => {
  const isOther = { StringNotEquals: { [`s3:${header}`]: 'AES256' } };
  t.true(denies(isOther, {}, true));
  t.false(denies(isOther, {}, false));
  t.true(denies(isOther, { [header]: 'aws:kms' }, false));
  t.false(denies(isOther, { [header]: 'AES256' }, true));
});

test('all conditions of a statement must hold', (t) => {
  const both = { Null: { [`s3:${header}`]: 'false' }, Bool: { 'aws:SecureTransport': 'false' } };
  t.false(denies(both, { [header]: 'AES256' }, true));
});

test('a policy that would not be evaluated is refused', (t) => {
  const policy = (statement: object, Version = '2012-10-17') =>
    JSON.stringify({
      Version,
      Statement: [
        { Effect: 'Deny', Principal: '*', Action: 's3:*', Resource: 'arn:aws:s3:::b', ...statement },
      ],
    });
  const refusal = (text: string) => t.throws(() => parsePolicy(text, 'b'), { instanceOf: S3Error }).code;
  t.is(refusal(policy({}, '2018-05-24')), 'MalformedPolicy');
  t.is(refusal(policy({ Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } })), 'NotImplemented');
  t.is(refusal(policy({ Condition: { StringEquals: { 's3:prefix': 'x' } } })), 'NotImplemented');
  t.is(refusal(policy({ Principal: { AWS: 'arn:aws:iam:::user/somebody' } })), 'NotImplemented');
  t.is(refusal(policy({ NotAction: 's3:GetObject' })), 'NotImplemented');
  t.is(refusal(policy({ Resource: 'arn:aws:s3:::other/*' })), 'MalformedPolicy');
  t.is(refusal('{'), 'MalformedPolicy');
});

test('patterns match with * and ?', (t) => {
  for (const [text, pattern, expected] of [
    ['b/key', 'b/*', true],
    ['b', 'b/*', false],
    ['s3:putobject', 's3:put*', true],
    ['abc', 'a?c', true],
    ['ac', 'a?c', false],
    ['aXbXc', '*b*c', true],
    ['', '*', true],
    ['a'.repeat(5000), `${'*a'.repeat(200)}b`, false],
  ] as const) {
    t.is(isLike(text, pattern), expected, `${text.slice(0, 9)} ${pattern.slice(0, 9)}`);
  }
});
