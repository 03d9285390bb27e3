/** What every plan of parts must keep to. */
import type { Extent } from '../../src/staging/extent-map.js';
import type { PlanLimits, PlannedPart } from '../../src/staging/upload-plan.js';

/** Throws unless the parts make up the extents and keep to the limits. */
export function checkParts(
  parts: readonly PlannedPart[],
  extents: readonly Extent[],
  limits: PlanLimits,
  behind: 'end of file' | 'more' = 'end of file',
): void {
  const size = extents.reduce((sum, { length }) => sum + length, 0);
  let end = extents[0]?.offset ?? 0;
  if (parts.length > limits.maxParts) throw new Error('too many parts');
  for (const [index, part] of parts.entries()) {
    if (part.offset !== end) throw new Error(`part ${index} begins at ${part.offset}, not at ${end}`);
    if (part.length <= 0) throw new Error(`part ${index} is empty`);
    if (part.length > limits.maxPartSize) throw new Error(`part ${index} is too large`);
    if ((index < parts.length - 1 || behind === 'more') && part.length < limits.minPartSize)
      throw new Error(`part ${index} is too small`);
    end += part.length;
    const { copyFrom } = part;
    if (!copyFrom) continue;
    const source = extents.find(
      (extent) => extent.offset <= part.offset && part.offset < extent.offset + extent.length,
    );
    if (
      source?.source !== copyFrom.version ||
      source.offset + source.length < end ||
      copyFrom.offset !== source.sourceOffset + part.offset - source.offset
    ) {
      throw new Error(`part ${index} is copied from elsewhere`);
    }
  }
  if (end !== (extents[0]?.offset ?? 0) + size) throw new Error(`the parts end at ${end}`);
}
