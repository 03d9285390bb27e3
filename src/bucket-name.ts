/** What a bucket can be called. */

/**
 * What is given to commands: a bucket of the credentials' own tenant, or on Ceph `TENANT:BUCKET` for that of another
 * (https://docs.ceph.com/en/latest/radosgw/multitenancy/); `:BUCKET` for one without tenant.
 */
export function isBucketReference(text: string): boolean {
  return isBucketName(text.replace(/^\w*:/, ''));
}

/** Checked only as far as every server agrees: RGW may allow capitals and underscores that AWS does not. */
export function isBucketName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/.test(text);
}
