/** What a bucket can be called. */

/** Checked only as far as every server agrees: RGW may allow capitals and underscores that AWS does not. */
export function isBucketName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/.test(text);
}
