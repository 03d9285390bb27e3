/** What statfs tells of a bucket: S3 knows no limit, and df shows a pebibyte. */
import type { FileSystemStatistics } from '../file-system.js';
import { maxNameBytes } from './names.js';

const blocks = 2 ** 38;
const files = 2 ** 40;

export const unlimitedSpace: FileSystemStatistics = {
  blockSize: 4096,
  blocks,
  blocksFree: blocks,
  files,
  filesFree: files,
  maxNameBytes,
};
