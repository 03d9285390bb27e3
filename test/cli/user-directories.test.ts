import os from 'node:os';
import test from 'ava';
import { settleHome, xdgDirectory } from '../../src/cli/user-directories.js';

function settled(environment: NodeJS.ProcessEnv): string | undefined {
  settleHome(environment);
  return environment['HOME'];
}

test('HOME stands if it is absolute, and else the user database counts', (t) => {
  const { homedir } = os.userInfo();
  t.is(settled({ HOME: '/somewhere' }), '/somewhere');
  t.is(settled({ HOME: '' }), homedir);
  t.is(settled({ HOME: 'relative/home' }), homedir);
  t.is(settled({}), homedir);
});

test('an empty or relative XDG variable counts as none', (t) => {
  t.is(xdgDirectory({ XDG_STATE_HOME: '' }, 'XDG_STATE_HOME'), undefined);
  t.is(xdgDirectory({ XDG_STATE_HOME: 'state' }, 'XDG_STATE_HOME'), undefined);
  t.is(xdgDirectory({}, 'XDG_STATE_HOME'), undefined);
  t.is(xdgDirectory({ XDG_STATE_HOME: '/state' }, 'XDG_STATE_HOME'), '/state');
});
