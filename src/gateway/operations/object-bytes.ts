/** The plaintext of an object, segment by segment. */
import type { CustomerKey } from '../../keys/customer-key.js';
import type { RequestedRange } from '../ranges.js';
import type { DataFiles } from '../storage/data-files.js';
import type { ObjectRecord } from '../storage/object-record.js';

/** The object must be held. `range` undefined: all of it. Throws a `DamagedFileError` before it yields a changed byte. */
export async function* bytesOf(
  data: DataFiles,
  record: ObjectRecord,
  customerKey: CustomerKey | undefined,
  range: RequestedRange | undefined,
): AsyncGenerator<Buffer> {
  const { offset, length } = range ?? { offset: 0, length: record.size };
  const end = offset + length;
  let start = 0;
  for (const segment of record.segments) {
    const from = Math.max(offset, start);
    const to = Math.min(end, start + segment.size);
    if (from < to || record.size === 0) {
      yield* data.read(segment, customerKey, from - start, Math.max(0, to - from));
    }
    start += segment.size;
  }
}
