/** Source keys go into a header, so all but the slashes is percent-encoded. */
export function copySourceHeader(bucket: string, key: string): string {
  return `${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`;
}
