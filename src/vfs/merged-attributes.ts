/** Attributes that were changed in two places since they were the same. */
import type { StoredAttributes } from './stored-attributes.js';

/** `theirs`, with what `ours` has changed since `base`. Where only times of access or status would differ, theirs stay. */
export function mergeAttributes(
  base: StoredAttributes,
  ours: StoredAttributes,
  theirs: StoredAttributes,
): StoredAttributes {
  if (base === ours) return theirs;
  const hasTimes = ours.mtimeNs !== base.mtimeNs;
  return {
    ...theirs,
    permissions: ours.permissions === base.permissions ? theirs.permissions : ours.permissions,
    uid: ours.uid === base.uid ? theirs.uid : ours.uid,
    gid: ours.gid === base.gid ? theirs.gid : ours.gid,
    atimeNs: ours.atimeNs === base.atimeNs ? theirs.atimeNs : ours.atimeNs,
    mtimeNs: hasTimes ? ours.mtimeNs : theirs.mtimeNs,
    ctimeNs: ours.ctimeNs > theirs.ctimeNs ? ours.ctimeNs : theirs.ctimeNs,
    hasTimesOfWrite: hasTimes ? ours.hasTimesOfWrite : theirs.hasTimesOfWrite,
    extended: ours.extended === base.extended ? theirs.extended : mergeExtended(base, ours, theirs),
  };
}

function mergeExtended(
  { extended: base }: StoredAttributes,
  { extended: ours }: StoredAttributes,
  { extended: theirs }: StoredAttributes,
): ReadonlyMap<string, Uint8Array> {
  const merged = new Map(theirs);
  for (const [name, value] of ours) {
    const before = base.get(name);
    if (!before || Buffer.compare(before, value) !== 0) merged.set(name, value);
  }
  for (const name of base.keys()) if (!ours.has(name)) merged.delete(name);
  return merged;
}
