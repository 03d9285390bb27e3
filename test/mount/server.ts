/** The server that test/ceph runs on, and what is expected to differ between the two that it can be. */

/** Whatever is not here must be the same on both. */
export interface ServerUnderTest {
  readonly name: 'ceph' | 'gateway';
  /** In the titles of tests. */
  readonly title: string;
  /** What closing a file gives that a quota has no room for: the embedded gateway has no quotas. */
  readonly closeAboveQuota: 'EDQUOT' | 'ok';
  /** A placement that buckets can have. */
  readonly placement: string;
  /** What the location of a bucket with that placement is said to be. */
  readonly location: string;
  /** What --create says of a location that no server has: the embedded gateway takes every one. */
  readonly unknownLocation: RegExp;
  /** What becomes of a request to keep versions of objects, which the embedded gateway cannot. */
  readonly versioning: 'OK' | 'NotImplemented';
}

const servers: Readonly<Record<string, ServerUnderTest>> = {
  ceph: {
    name: 'ceph',
    title: 'Ceph',
    closeAboveQuota: 'EDQUOT',
    placement: ':default-placement',
    location: 'default',
    unknownLocation: /was made; the server has no placement nowhere, and chose one itself; .* is mounted on/,
    versioning: 'OK',
  },
  gateway: {
    name: 'gateway',
    title: 'the embedded gateway',
    closeAboveQuota: 'ok',
    placement: ':cou',
    location: ':cou',
    unknownLocation: /was made; [^ ]+ is mounted on/,
    versioning: 'NotImplemented',
  },
};

/** OSIRISFS_TEST_CEPH=1 says that a server runs and that AWS_* describe it. */
export const hasServer = process.env['OSIRISFS_TEST_CEPH'] === '1';

/** Whether tests that need it fail where it is missing, instead of being skipped. */
export const requiresServer = process.env['OSIRISFS_REQUIRE_CEPH'] === '1';

/** OSIRISFS_TEST_SERVER says which it is, `ceph` by default. */
export const serverUnderTest = chooseServer(process.env['OSIRISFS_TEST_SERVER'] ?? 'ceph');

function chooseServer(name: string): ServerUnderTest {
  const server = servers[name];
  if (server === undefined) throw new Error(`OSIRISFS_TEST_SERVER is ${name}; it can be ceph or gateway`);
  return server;
}
