/** The server that test/ceph runs on, and what is expected to differ between those that it can be. */
import type { FlavorName } from '../../src/gateway/flavor.js';

/** Whatever is not here must be the same on all. */
interface ServerUnderTest {
  readonly kind: 'ceph' | 'gateway';
  /** The flavor of the gateway that has its rules. */
  readonly rules: FlavorName;
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

const ceph: ServerUnderTest = {
  kind: 'ceph',
  rules: 'rgw',
  title: 'Ceph',
  closeAboveQuota: 'EDQUOT',
  placement: ':default-placement',
  location: 'default',
  unknownLocation: /was made; the server has no placement nowhere, and chose one itself; .* is mounted on/,
  versioning: 'OK',
};

const servers: Readonly<Record<string, ServerUnderTest>> = {
  ceph,
  ceph18: { ...ceph, rules: 'ceph18', title: 'Ceph 18' },
  gateway: {
    kind: 'gateway',
    rules: 'rgw',
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
  if (server === undefined)
    throw new Error(`OSIRISFS_TEST_SERVER is ${name}; it can be ${Object.keys(servers).join(', ')}`);
  return server;
}
