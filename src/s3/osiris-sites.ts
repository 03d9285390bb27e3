/**
 * The S3 gateways of OSiRIS. The first four are named by its documentation (https://www.osris.org/documentation/s3.html), the one of
 * VAI by its client bundle (https://github.com/MI-OSiRIS/osiris-bundle, detect-endpoint.py).
 */

interface OsirisSite {
  /** As `--site` names it. */
  readonly name: string;
  readonly endpoint: string;
  readonly description: string;
}

/** In the order in which `auto` tries them. The first one leads to the nearest site; some networks reach only their own. */
export const osirisSites: readonly OsirisSite[] = [
  { name: 'all', endpoint: 'https://rgw.osris.org', description: 'all sites' },
  { name: 'um', endpoint: 'https://rgw-um.osris.org', description: 'University of Michigan' },
  { name: 'msu', endpoint: 'https://rgw-msu.osris.org', description: 'Michigan State University' },
  { name: 'wsu', endpoint: 'https://rgw-wsu.osris.org', description: 'Wayne State University' },
  { name: 'vai', endpoint: 'https://rgw-vai-int.osris.org', description: 'Van Andel Institute, from inside' },
];

/** The first site that `probe` accepts. Rejects with all reasons if there is none. */
export async function firstReachable(
  sites: readonly OsirisSite[],
  probe: (site: OsirisSite) => Promise<void>,
): Promise<OsirisSite> {
  const reasons: string[] = [];
  for (const site of sites) {
    try {
      await probe(site);
      return site;
    } catch (error) {
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error(`no site of OSiRIS can be reached: ${reasons.join('; ')}`);
}

/** Undefined is AWS. */
export function isOsiris(endpoint: URL | undefined): boolean {
  return osirisSites.some((site) => new URL(site.endpoint).host === endpoint?.host);
}

/** How the buckets of a virtual organisation (COU) begin; the server refuses to make others. */
export function bucketPrefix(organisation: string): string {
  return `${organisation.toLowerCase()}-`;
}

/** The location of such a bucket: the placement of the organisation, in Ceph's region, which has no name. */
export function bucketLocation(organisation: string): string {
  return `:${organisation.toLowerCase()}`;
}

/** What `--site` of `osirisfs setup` takes; `auto` is the first that can be reached. */
export const siteNames = ['auto', 'um', 'msu', 'wsu', 'vai'] as const;
