/** What the writing side needs of the reading side. */
import type { BlockReader } from './block-reader.js';

export type VersionReader = Pick<BlockReader, 'read' | 'seed' | 'createStream' | 'closeStream'>;
