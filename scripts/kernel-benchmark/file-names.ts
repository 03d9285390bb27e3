/** The metadata jobs, and the names of the files that they work on. Pure. */

/** In the order in which they must run: each has one operation per file. */
export const metadataJobs = [
  'create, close',
  'stat, first',
  'stat of what is missing',
  'open, close',
  'ls -l, each entry',
  'unlink',
] as const;

export type MetadataJob = (typeof metadataJobs)[number];

/** Directories full of files of which the kernel knows nothing yet: one to be asked name by name, one to be listed. */
export const coldDirectories = ['asked', 'listed'] as const;

export function fileName(index: number): string {
  return `file-${String(index).padStart(6, '0')}`;
}
