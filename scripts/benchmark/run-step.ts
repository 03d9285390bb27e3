/** Runs one step of a job on one program's mount, and measures it. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Measures, Step, StepOutcome } from './job.js';
import { runLimited, StepFailure } from './limited-run.js';
import type { Sample } from './measurements.js';
import { beginUsage } from './process-usage.js';
import type { ProgramMount } from './program-mount.js';
import { prepareCondition, waitForCondition, type TreeSize } from './storing.js';
import { sharedFolder, type Work } from './work.js';

const reader = path.join(path.dirname(fileURLToPath(import.meta.url)), 'reader.js');

/** Runs a function four times at once, with 0 to 3 as argument; fails if one fails. */
const prelude = `
four_times() {
  local pids= i pid
  for i in 0 1 2 3; do "$@" "$i" & pids+=" $!"; done
  for pid in $pids; do wait "$pid"; done
}
begun=$EPOCHREALTIME
`;
const epilogue = `
printf '\\n%s %s\\n' "$begun" "$EPOCHREALTIME"
`;

/** Undefined for steps that only prepare. Rejects with `StepFailure`; the mount is then gone. */
export async function runStep(mount: ProgramMount, step: Step, work: Work): Promise<Sample | undefined> {
  try {
    if (step.from === 'cold' || mount.pid === undefined) await mount.open(step.writes);
    return await measureStep(mount, step, work);
  } catch (error) {
    // Whatever was asked of a process that is gone.
    const hasEnded = mount.hasEndedByItself;
    await mount.kill();
    work.signal.throwIfAborted();
    if (error instanceof StepFailure || !hasEnded) throw error;
    throw new StepFailure('fails: the mount has ended', { cause: error });
  }
}

async function measureStep(mount: ProgramMount, step: Step, work: Work): Promise<Sample | undefined> {
  const { pid } = mount;
  if (pid === undefined) throw new StepFailure('fails: the mount has ended');
  const usage = await beginUsage(pid);
  const outcome = await runScript(mount, step, work);
  if (mount.pid === undefined) throw new StepFailure('fails: the mount has ended');
  const used = await usage.end();
  return step.measures && toSample(step.measures, outcome, used);
}

function toSample(
  measures: Measures,
  outcome: StepOutcome,
  used: { readonly residentBytes: number; readonly processorSeconds: number },
): Sample {
  const { contentBytes } = measures;
  try {
    return {
      value: measures.value(outcome),
      ...used,
      ...(contentBytes === undefined ? {} : { contentBytes }),
    };
  } catch (error) {
    throw new StepFailure(`fails: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

async function runScript(mount: ProgramMount, step: Step, work: Work): Promise<StepOutcome> {
  const { stored } = step;
  const { limitSeconds, signal } = work;
  const options = { limitSeconds, signal, cwd: mount.directory, env: scriptEnvironment(mount, work) };
  const shell = (script: string) => runLimited('bash', ['--norc', '-euo', 'pipefail', '-c', script], options);
  const measureMounted = async (name: string): Promise<TreeSize> => {
    const { stdout } = await shell(`find "$OWN/${name}" -type f -printf '%s\\n'`);
    const sizes = stdout.split('\n').filter((line) => line !== '');
    return { files: sizes.length, bytes: sizes.reduce((sum, size) => sum + Number(size), 0) };
  };
  const condition =
    stored && (await prepareCondition(work.bucket, `${mount.program}/`, stored, measureMounted));
  const { stdout } = await shell(prelude + step.script + epilogue);
  const { scriptSeconds, output } = readTimes(stdout);
  const waitedSeconds =
    stored && condition ? await waitForCondition(stored, condition, limitSeconds, signal) : 0;
  return { scriptSeconds, seconds: scriptSeconds + waitedSeconds, output };
}

function scriptEnvironment(mount: ProgramMount, work: Work): Record<string, string> {
  return {
    LC_ALL: 'C',
    HOME: work.directory,
    SOURCE: work.source,
    OWN: mount.program,
    SHARED: sharedFolder,
    READER: reader,
  };
}

/** The last line has the times of begin and end; what is before it the script has printed. */
export function readTimes(stdout: string): { readonly scriptSeconds: number; readonly output: string } {
  const match = /\n(\d+\.\d+) (\d+\.\d+)\n$/.exec(stdout);
  if (match === null) throw new Error(`the script's times are missing: ${stdout.slice(-200)}`);
  return { scriptSeconds: Number(match[2]) - Number(match[1]), output: stdout.slice(0, match.index) };
}
