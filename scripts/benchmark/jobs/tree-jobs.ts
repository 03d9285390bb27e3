/** Trees of files by programs that do more than copy: git and rsync. */
import { seconds, type Job } from '../job.js';
import type { Sizes } from '../sizes.js';

export function gitJob({ treeFiles }: Sizes): Job {
  return {
    name: 'git',
    steps: [
      { from: 'cold', writes: true, script: 'mkdir -p "$OWN"; rm -rf "$OWN/clone"' },
      {
        from: 'warm',
        writes: true,
        script: 'git clone --quiet "file://$SOURCE/repository" "$OWN/clone"',
        stored: { kind: 'as-mounted', path: 'clone' },
        measures: {
          id: 'git-clone',
          title: `git clone of ${treeFiles} files, until stored`,
          unit: 's',
          targets: [],
          value: seconds,
        },
      },
    ],
  };
}

export function rsyncJob({ treeFiles }: Sizes): Job {
  const script = 'rsync -a "$SOURCE/tree/" "$OWN/tree/"';
  const common = { unit: 's', targets: [], value: seconds } as const;
  return {
    name: 'rsync',
    isChain: true,
    steps: [
      { from: 'cold', writes: true, script: 'mkdir -p "$OWN"; rm -rf "$OWN/tree"' },
      {
        from: 'warm',
        writes: true,
        script,
        stored: { kind: 'as-mounted', path: 'tree' },
        measures: { id: 'rsync', title: `rsync -a of ${treeFiles} files, until stored`, ...common },
      },
      {
        from: 'cold',
        writes: true,
        script,
        stored: { kind: 'as-mounted', path: 'tree' },
        measures: { id: 'rsync-again', title: 'rsync -a of the same again, cold', ...common },
      },
    ],
  };
}
