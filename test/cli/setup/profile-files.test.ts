import test from 'ava';
import { changeSection, configSection, entryIn } from '../../../src/cli/setup/profile-files.js';

const text = `# mine
[default]
aws_access_key_id = A
aws_secret_access_key=B

[ osirisfs ]
# kept
aws_access_key_id = old
aws_session_token = gone
s3 =
  aws_access_key_id = nested

[other]
region = x
`;

test('a section is changed in its place, and all else stays', (t) => {
  const changed = changeSection(text, 'osirisfs', { aws_access_key_id: 'new', aws_session_token: undefined });
  t.is(
    changed,
    text
      .replace('[ osirisfs ]\n', '[ osirisfs ]\naws_access_key_id = new\n')
      .replace('aws_access_key_id = old\naws_session_token = gone\n', ''),
  );
  t.is(entryIn(changed, 'osirisfs', 'aws_access_key_id'), 'new');
  t.is(entryIn(changed, 'default', 'aws_secret_access_key'), 'B');
  t.is(entryIn(changed, 'other', 'aws_access_key_id'), undefined);
});

test('a section that is missing is added at the end', (t) => {
  t.is(changeSection('', 'profile a', { region: 'b' }), '[profile a]\nregion = b\n');
  t.is(changeSection('[x]\ny = z', 'a', { region: 'b' }), '[x]\ny = z\n\n[a]\nregion = b\n');
  t.is(configSection('default'), 'default');
  t.is(configSection('a'), 'profile a');
});
