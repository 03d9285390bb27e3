/** What the writing side needs of the reading side. */
import type { ObjectReader } from './object-reader.js';

export type VersionReader = Pick<ObjectReader, 'read' | 'seed' | 'createStream' | 'closeStream'>;
