import test from 'ava';
import { changeSettings, settingIn } from '../../../src/cli/setup/config-text.js';

test('settings are changed, others and comments stay', (t) => {
  const before = '# mine\ncache-size = "1GiB"\n"endpoint" = "https://old" # was\nregion = "x"\n';
  const after = changeSettings(before, { endpoint: 'https://new/"q"', region: undefined, profile: 'p' });
  t.is(after, 'endpoint = "https://new/\\"q\\""\nprofile = "p"\n# mine\ncache-size = "1GiB"\n');
  t.is(settingIn(after, 'endpoint'), 'https://new/"q"');
  t.is(settingIn(after, 'region'), undefined);
});

test('what cannot be changed line by line is refused', (t) => {
  t.throws(() => changeSettings('endpoint = """\nhttps://old"""\n', { endpoint: 'https://new' }));
  t.throws(() => changeSettings('note = """\nendpoint = 1\n"""\n', { endpoint: 'https://new' }), {
    message: /has endpoint in a form that cannot be changed here/,
  });
  t.throws(() => changeSettings('what is this', { endpoint: 'https://new' }));
});
