import test from 'ava';
import {
  demandsEncryptionHeader,
  formOf,
  ownSid,
  withoutStatement,
  withStatement,
} from '../../src/policy/force-encryption.js';

const other = {
  Sid: 'TheirsToKeep',
  Effect: 'Deny',
  Principal: '*',
  Action: 's3:DeleteObject',
  Resource: 'arn:aws:s3:::b/*',
};
const theirs = JSON.stringify({ Version: '2012-10-17', Id: 'x', Statement: other });

test('our statement comes beside others, once, and goes without them', (t) => {
  const first = withStatement(theirs, 'b', 'customer-algorithm');
  const second = withStatement(first, 'b', 'encryption-header');
  const { Statement, Id } = JSON.parse(second) as { Statement: { Sid: string }[]; Id: string };
  t.is(Id, 'x');
  t.deepEqual(
    Statement.map(({ Sid }) => Sid),
    [other.Sid, ownSid],
  );
  t.is(formOf(first), 'customer-algorithm');
  t.is(formOf(second), 'encryption-header');
  t.is(formOf(theirs), undefined);
  t.is(formOf(undefined), undefined);
  t.deepEqual(JSON.parse(withoutStatement(second)!), { Version: '2012-10-17', Id: 'x', Statement: [other] });
  t.is(withoutStatement(withStatement(undefined, 'b', 'customer-algorithm')), undefined);
});

test('only a denial of what lacks the header demands it, whoever wrote it', (t) => {
  const policy = withStatement(undefined, 'b', 'encryption-header');
  t.true(demandsEncryptionHeader(policy));
  t.true(demandsEncryptionHeader(policy.replace(ownSid, 'DenyUnEncryptedObjectUploads')));
  t.false(demandsEncryptionHeader(policy.replace('"Deny"', '"Allow"')));
  t.false(demandsEncryptionHeader(withStatement(undefined, 'b', 'customer-algorithm')));
  t.false(demandsEncryptionHeader(theirs));
  t.false(demandsEncryptionHeader('no policy'));
});

test('what is no policy is not written over', (t) => {
  for (const text of ['{}', '[]', 'x', '"x"']) {
    t.throws(() => withStatement(text, 'b', 'customer-algorithm'), { instanceOf: SyntaxError }, text);
  }
});
