import test from 'ava';
import { isAnsweredSoon } from '../../src/http/reused-connections.js';

test('an answer can be expected soon where the server has little to do', (t) => {
  const shape = { bodyBytes: 0, isWork: false };
  for (const method of ['HEAD', 'GET', 'DELETE', 'PUT', 'POST']) {
    t.true(isAnsweredSoon({ ...shape, method }), method);
    t.false(isAnsweredSoon({ ...shape, method, isWork: true }), method);
  }
  for (const method of ['PUT', 'POST']) {
    t.true(isAnsweredSoon({ ...shape, method, bodyBytes: 1024 * 1024 }));
    t.false(isAnsweredSoon({ ...shape, method, bodyBytes: 1024 * 1024 + 1 }));
    t.false(isAnsweredSoon({ ...shape, method, bodyBytes: Infinity }));
  }
});
