/** Many files of 16 KiB: in, out, found, removed. */
import { seconds, type Job } from '../job.js';
import { getSmallRaw, putSmallRaw } from '../raw-transfers.js';
import { smallFileBytes, type Sizes } from '../sizes.js';

export function smallFilesJob({ smallFiles }: Sizes): Job {
  const what = `${smallFiles} files of 16 KiB`;
  const bytes = smallFiles * smallFileBytes;
  return {
    name: 'small-files',
    isChain: true,
    raw: [
      { ids: ['small-in'], measure: putSmallRaw },
      { ids: ['small-cat'], measure: getSmallRaw },
    ],
    steps: [
      {
        from: 'cold',
        writes: true,
        script: 'mkdir -p "$OWN"; rm -rf "$OWN/small"; cat "$SOURCE"/small/* >/dev/null',
      },
      {
        from: 'warm',
        writes: true,
        script: 'cp -r "$SOURCE/small" "$OWN/small"',
        stored: { kind: 'tree', path: 'small/', files: smallFiles, bytes },
        measures: {
          id: 'small-in',
          title: `cp ${what}, until stored`,
          unit: 's',
          targets: [
            { against: 's3fs', factor: 10 },
            { against: 'rclone', factor: 1.5 },
          ],
          contentBytes: bytes,
          value: seconds,
        },
      },
      {
        from: 'cold',
        writes: false,
        script: 'cat "$OWN"/small/* >/dev/null',
        measures: {
          id: 'small-cat',
          title: `cat ${what}, cold`,
          unit: 's',
          targets: [{ against: 'peer', factor: 10 }],
          contentBytes: bytes,
          value: seconds,
        },
      },
      {
        from: 'cold',
        writes: true,
        script: 'rm -r "$OWN/small"',
        stored: { kind: 'tree', path: 'small/', files: 0, bytes: 0 },
        measures: { id: 'small-rm', title: `rm -r ${what}`, unit: 's', targets: [], value: seconds },
      },
    ],
  };
}
