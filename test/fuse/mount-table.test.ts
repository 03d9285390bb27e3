import test from 'ava';
import { escapeField, parseMountTable } from '../../src/fuse/mount-table.js';

test('mounts are read with and without optional fields, and names are unescaped', (t) => {
  const text = [
    '36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 shared:2 - ext3 /dev/root rw,errors=continue',
    '40 36 0:35 / /mnt/a\\134b rw - fuse.osirisfs osirisfs:x\\040y rw,user_id=0',
    'nonsense',
    '',
  ].join('\n');
  t.deepEqual(parseMountTable(text), [
    { id: '36', device: '98:0', mountpoint: '/mnt 2', type: 'ext3', source: '/dev/root', userId: undefined },
    {
      id: '40',
      device: '0:35',
      mountpoint: '/mnt/a\\b',
      type: 'fuse.osirisfs',
      source: 'osirisfs:x y',
      userId: 0,
    },
  ]);
});

test('a path is escaped as the kernel does it', (t) => {
  t.is(escapeField('/a b\tc\nd\\e'), '/a\\040b\\011c\\012d\\134e');
});
