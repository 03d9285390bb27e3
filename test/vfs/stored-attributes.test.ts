import test from 'ava';
import { typeDirectory, typeRegular, typeSymlink } from '../../src/vfs/modes.js';
import {
  attributesOfObject,
  decodeTime,
  encodeTime,
  headersOfAttributes,
  maxNanoseconds,
  type StoredAttributes,
} from '../../src/vfs/stored-attributes.js';
import { fc } from '../seed.js';

const defaults = { uid: 1000, gid: 1001, filePermissions: 0o640, directoryPermissions: 0o750 };
const lastModifiedMs = 1_700_000_000_000;

function attributesOf(metadata: Record<string, string>, isDirectory = false): StoredAttributes {
  return attributesOfObject({ metadata, contentType: undefined, lastModifiedMs }, isDirectory, defaults);
}

test('a time is written as seconds with nine digits', (t) => {
  t.is(encodeTime(1_700_000_000_000_000_005n), '1700000000.000000005');
  t.is(encodeTime(0n), '0.000000000');
  t.is(encodeTime(-1_500_000_000n), '-1.500000000');
});

test('every time that a stat can hold survives writing and reading', (t) => {
  fc.assert(
    fc.property(fc.bigInt({ min: -maxNanoseconds, max: maxNanoseconds }), (timeNs) => {
      t.is(decodeTime(encodeTime(timeNs)), timeNs);
    }),
  );
});

test('the digits after the point are read as a fraction, as rclone writes them', (t) => {
  t.is(decodeTime('1700000000.5'), 1_700_000_000_500_000_000n);
  t.is(decodeTime('1700000000'), 1_700_000_000_000_000_000n);
  t.is(decodeTime('1700000000.1234567891'), 1_700_000_000_123_456_789n);
});

test('what is no time is ignored', (t) => {
  for (const text of [undefined, '', 'yesterday', '1.2.3', '1e9', '9'.repeat(13), '.5'])
    t.is(decodeTime(text), undefined);
});

test('an object without metadata shows the defaults of the mount and the time it was stored', (t) => {
  const attributes = attributesOf({});
  t.like(attributes, { type: typeRegular, permissions: 0o640, uid: 1000, gid: 1001 });
  t.is(attributes.mtimeNs, BigInt(lastModifiedMs) * 1_000_000n);
  t.is(attributesOf({}, true).permissions, 0o750);
});

test('metadata as s3fs writes it is read', (t) => {
  const attributes = attributesOf({ mode: '33261', uid: '12', gid: '34', mtime: '1600000000.000000007' });
  t.like(attributes, {
    type: typeRegular,
    permissions: 0o755,
    uid: 12,
    gid: 34,
    mtimeNs: 1_600_000_000_000_000_007n,
  });
  t.is(attributes.ctimeNs, attributes.mtimeNs);
});

test('a symlink is known by its mode, a directory by its key', (t) => {
  t.is(attributesOf({ mode: String(0o120777) }).type, typeSymlink);
  t.is(attributesOf({ mode: String(0o040755) }).type, typeRegular);
  t.is(attributesOf({ mode: String(0o100644) }, true).type, typeDirectory);
});

test('metadata that makes no sense shows the defaults', (t) => {
  t.like(attributesOf({ mode: 'x', uid: '-1', gid: '99999999999', mtime: 'now' }), {
    permissions: 0o640,
    uid: 1000,
    gid: 1001,
  });
});

test('attributes survive writing and reading, with the metadata of other programs', (t) => {
  const attributes: StoredAttributes = {
    type: typeRegular,
    permissions: 0o4711,
    uid: 0,
    gid: 4_294_967_295,
    atimeNs: 1n,
    mtimeNs: -2n,
    ctimeNs: 3n,
    extended: new Map([
      ['user.ü', Buffer.from([0, 1, 255])],
      ['user.empty', Buffer.alloc(0)],
    ]),
    hasTimesOfWrite: false,
    otherMetadata: { project: 'osiris' },
    contentType: 'text/plain',
  };
  const headers = headersOfAttributes(attributes, undefined);
  t.regex(Object.values(headers.metadata).join(''), /^[\x20-\x7e]*$/);
  const read = attributesOfObject(
    { metadata: headers.metadata, contentType: headers.contentType, lastModifiedMs },
    false,
    defaults,
  );
  t.deepEqual(read, attributes);
});

test('a directory’s marker has the content type that s3fs gives it', (t) => {
  t.is(headersOfAttributes(attributesOf({}, true), undefined).contentType, 'application/x-directory');
});

test('modes that rclone has written, in octal digits, are read as such', (t) => {
  const shown = (mode: string, isDirectory = false) => {
    const { type, permissions } = attributesOf({ mode }, isDirectory);
    return (type | permissions).toString(8);
  };
  for (const octal of ['100644', '100755', '100600', '104755', '102755', '120777', '107777']) {
    t.is(shown(octal), octal);
    t.is(shown(String(Number.parseInt(octal, 8))), octal, 'in decimal, as s3fs writes it');
  }
  for (const octal of ['40755', '40700', '41777', '42775', '47777']) {
    t.is(shown(octal, true), octal);
    t.is(shown(String(Number.parseInt(octal, 8)), true), octal);
  }
  // No set-id bits and no writing for all out of nothing.
  for (let permissions = 0; permissions <= 0o7777; permissions += 1) {
    const mode = (0o100000 | permissions).toString(8);
    if (shown(mode) !== mode) t.fail(`${mode} is read as ${shown(mode)}`);
  }
});
