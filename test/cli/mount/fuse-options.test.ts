import test from 'ava';
import { parseFuseOptions } from '../../../src/cli/mount/fuse-options.js';
import { UsageError } from '../../../src/cli/command-errors.js';

test('settings are recognised with dashes, with underscores and by the names of mount and s3fs', (t) => {
  const { values, mountFlags } = parseFuseOptions([
    'ro,allow_other,uid=1000,gid=100,umask=077,url=https://rgw.example.org',
    'cache-size=1GiB,metadata_ttl=5s,key_file=/keys/a=b',
  ]);
  t.deepEqual(values, {
    readOnly: true,
    allowOther: true,
    uid: '1000',
    gid: '100',
    umask: '077',
    endpoint: 'https://rgw.example.org',
    cacheBytes: '1GiB',
    metadataTtlMs: '5s',
    keyFiles: '/keys/a=b',
  });
  t.deepEqual(mountFlags, []);
});

test('flags of the kernel are handed on', (t) => {
  t.deepEqual(parseFuseOptions(['noexec,nodev,nosuid,noatime', 'sync']).mountFlags, [
    'noexec',
    'nodev',
    'nosuid',
    'noatime',
    'sync',
  ]);
});

test('what /etc/fstab and s3fs say to themselves is passed over', (t) => {
  const { values, mountFlags } = parseFuseOptions([
    'defaults,_netdev,nofail,noauto,user,relatime,nodiratime,strictatime,lazytime,silent,nouser,x-systemd.automount,x-gvfs-show,comment=mine,rw,use_path_request_style',
  ]);
  t.deepEqual(values, {});
  t.deepEqual(mountFlags, []);
});

test('the key file of s3fs is taken for the customer key', (t) => {
  t.deepEqual(parseFuseOptions(['use_sse=custom:/keys/a']).values.keyFiles, ['/keys/a']);
  t.deepEqual(parseFuseOptions(['use_sse=c:/keys/a']).values.keyFiles, ['/keys/a']);
});

test('a key file that is given again is a further one', (t) => {
  t.is(parseFuseOptions(['key_file=/a,key_file=/b', 'key-file=/c:/d']).values.keyFiles, '/a:/b:/c:/d');
});

test('the last of two options wins, as it does for mount', (t) => {
  t.is(parseFuseOptions(['uid=1,uid=2', 'uid=3']).values.uid, '3');
  t.is(parseFuseOptions(['read_only=false']).values.readOnly, 'false');
});

test('what is unknown or makes no sense is refused', (t) => {
  const cases = {
    foo: '-o foo: unknown option; see osirisfs mount --help',
    'foo=bar': '-o foo: unknown option; see osirisfs mount --help',
    'noexec=1': '-o noexec: unknown option; see osirisfs mount --help',
    'ro,,rw': "-o needs options separated by single commas, like '-o ro,allow_other'",
    '': "-o needs options separated by single commas, like '-o ro,allow_other'",
    uid: '-o uid needs a value: uid=NUMBER',
    use_sse: '-o use_sse: osirisfs needs your own key; give use_sse=custom:FILE or key-file=FILE',
    'use_sse=1': '-o use_sse: osirisfs needs your own key; give use_sse=custom:FILE or key-file=FILE',
    'use_sse=kmsid:x': '-o use_sse: osirisfs needs your own key; give use_sse=custom:FILE or key-file=FILE',
    'passwd_file=/p':
      '-o passwd_file: credentials come from ~/.aws/credentials or AWS_ACCESS_KEY_ID; choose some by profile=NAME',
    no_check_certificate:
      '-o no_check_certificate: certificates are always checked; trust yours by ca-bundle=FILE',
    'stat_cache_expire=60': '-o stat_cache_expire: use metadata_ttl=DURATION',
    kernel_cache: '-o kernel_cache: what the kernel may keep is decided for each file; leave it out',
    nonempty: '-o nonempty: only an empty directory can be mounted on',
  };
  for (const [list, message] of Object.entries(cases)) {
    t.throws(() => parseFuseOptions([list]), { instanceOf: UsageError, message }, list);
  }
});
