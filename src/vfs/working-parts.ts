/** What the operations of programs are made of. */
import type { DirectoryUpkeep } from './directory-upkeep.js';
import type { NodeFinder } from './node-finder.js';
import type { Openings } from './openings.js';
import type { StoringParts } from './storing-parts.js';
import type { WriteBack } from './write-back.js';

export interface WorkingParts extends StoringParts {
  readonly finder: NodeFinder;
  readonly upkeep: DirectoryUpkeep;
  readonly openings: Openings;
  readonly writeBack: WriteBack;
}
