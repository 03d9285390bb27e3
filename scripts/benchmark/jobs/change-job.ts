/** Small changes of a big object that the program has stored itself. */
import { seconds, type Job, type Step, type Stored } from '../job.js';
import { copyRaw } from '../raw-transfers.js';
import type { Sizes } from '../sizes.js';
import { formatSize } from '../statistics.js';

export function changeJob({ bigBytes }: Sizes): Job {
  const what = formatSize(bigBytes);
  const file = '"$OWN/changed"';
  const changed: Stored = { kind: 'changed', path: 'changed' };
  return {
    name: 'changes',
    raw: [{ ids: ['append', 'patch', 'chmod', 'rename'], measure: copyRaw }],
    steps: [
      {
        from: 'cold',
        writes: true,
        script: `mkdir -p "$OWN"; [ -e ${file} ] || cp "$SOURCE/big" ${file}`,
        stored: { kind: 'as-mounted', path: 'changed' },
      },
      change('append', `append a byte to ${what}`, `printf x >>${file}`, changed),
      change(
        'patch',
        `change 4 KiB in the middle of ${what}`,
        `head -c 4096 /dev/urandom | dd of=${file} bs=4096 seek=${bigBytes / 8192} conv=notrunc status=none`,
        changed,
      ),
      change('chmod', `chmod of ${what}`, `chmod 600 ${file}; sync ${file}`, {
        kind: 'mode',
        path: 'changed',
        mode: 0o600,
      }),
      { from: 'warm', writes: true, script: `chmod 644 ${file}; sync ${file}` },
      change('rename', `rename of ${what}`, `mv ${file} "$OWN/renamed"`, {
        kind: 'moved',
        from: 'changed',
        to: 'renamed',
      }),
      // Also after a rename that was given up half done.
      {
        from: 'warm',
        writes: true,
        script: `[ -e ${file} ] || mv "$OWN/renamed" ${file}; rm -f "$OWN/renamed"`,
      },
    ],
  };
}

function change(id: string, title: string, script: string, stored: Stored): Step {
  const targets = [{ against: 's3fs', factor: 20 } as const];
  const measures = { id, title, unit: 's', targets, value: seconds } as const;
  return { from: 'cold', writes: true, script, stored, measures };
}
