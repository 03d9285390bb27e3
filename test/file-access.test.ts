// Who may change a file that says where keys and data are sent.
import test from 'ava';
import { isOwnFile, writersOf } from '../src/file-access.js';

const ourUid = process.geteuid?.() ?? 0;
const own = { uid: ourUid, gid: ourUid, mode: 0o100644 };
/** Neither this user nor root. */
const otherUid = 65_000;

test('a file of this user or of root that nobody else may write is believed', (t) => {
  for (const stats of [
    own,
    { ...own, uid: 0, gid: 0 },
    { ...own, mode: 0o100400 },
    { ...own, gid: otherUid },
  ]) {
    t.is(writersOf(stats, {}), undefined);
  }
});

test('a file that others may write, or that is another user’s, is not', (t) => {
  t.is(writersOf({ ...own, mode: 0o100646 }, {}), 'has mode 0646: others than its owner could change it');
  t.is(
    writersOf({ ...own, gid: otherUid, mode: 0o100664 }, {}),
    'has mode 0664: others than its owner could change it',
  );
  t.is(
    writersOf({ ...own, uid: otherUid, mode: 0o100600 }, {}),
    `belongs to user ${otherUid}, who could change it`,
  );
});

test('the group that each user has alone is nobody else', (t) => {
  t.is(writersOf({ ...own, mode: 0o100664 }, {}), undefined);
});

test('who calls sudo is believed by root, and by nobody else', (t) => {
  t.is(isOwnFile({ uid: otherUid }, { SUDO_UID: String(otherUid) }), ourUid === 0);
  t.false(isOwnFile({ uid: otherUid }, { SUDO_UID: String(otherUid + 1) }));
});
