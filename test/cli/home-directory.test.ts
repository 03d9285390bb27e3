import os from 'node:os';
import test from 'ava';
import { settleHome } from '../../src/cli/home-directory.js';

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
