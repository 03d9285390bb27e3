/** What the writing side needs of the reading side. */
import type { BlockReader } from '../cache/block-reader.js';

export type VersionReader = Pick<BlockReader, 'read' | 'seed' | 'createStream' | 'closeStream'>;
