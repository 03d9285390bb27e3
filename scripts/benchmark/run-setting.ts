/** Runs all jobs in one setting: round by round, the programs one after the other in each, so that noise hits all alike. */
import type { Job } from './job.js';
import { StepFailure } from './limited-run.js';
import type {
  Contestant,
  Measured,
  MountProgram,
  Outcome,
  Sample,
  Setting,
  SettingResults,
} from './measurements.js';
import { ProgramMount } from './program-mount.js';
import type { Outcomes } from './ratios.js';
import { runStep } from './run-step.js';
import { formatNumber } from './statistics.js';
import type { Work } from './work.js';

interface Plan {
  readonly setting: Setting;
  readonly jobs: readonly Job[];
  readonly programs: readonly MountProgram[];
  readonly rounds: number;
}

/** Fills `results` as it goes, so that what is there already counts if it is interrupted. */
export async function runSetting(plan: Plan, results: SettingResults, work: Work): Promise<void> {
  const recorder = new Recorder(results, work.say);
  const mounts = plan.programs.map((program) => new ProgramMount(program, work));
  try {
    for (let round = 0; round < plan.rounds; round++) {
      for (const job of plan.jobs) {
        // Each round begins with another program, as the first one finds the server as the job before left it.
        const first = round % mounts.length;
        for (const mount of [...mounts.slice(first), ...mounts.slice(0, first)]) {
          await runJob(job, mount, recorder, work);
          await mount.close();
        }
        await runRaw(job, recorder, work);
      }
    }
  } finally {
    for (const mount of mounts) await mount.kill();
  }
}

export function emptyResults({ setting, jobs }: Pick<Plan, 'setting' | 'jobs'>): SettingResults {
  const measured = jobs.flatMap(({ steps }) =>
    steps.flatMap(({ measures }) => (measures === undefined ? [] : [withoutCode(measures)])),
  );
  return { setting, measured, outcomes: {} };
}

function withoutCode({ id, title, unit, targets, growth }: Measured): Measured {
  return { id, title, unit, targets, ...(growth === undefined ? {} : { growth }) };
}

async function runJob(job: Job, mount: ProgramMount, recorder: Recorder, work: Work): Promise<void> {
  for (const step of job.steps) {
    const id = step.measures?.id;
    // What took too long once is not waited for in each round.
    if (id !== undefined && recorder.hasGivenUp(id, mount.program)) {
      if (job.isChain) return;
      continue;
    }
    try {
      const sample = await runStep(mount, step, work);
      if (id !== undefined && sample) recorder.add(id, mount.program, sample);
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      if (id !== undefined) recorder.fail(id, mount.program, error.message);
      else work.say(`${mount.program}, preparing ${job.name}: ${error.message}`);
      if (job.isChain) return;
    }
  }
}

async function runRaw({ raw }: Job, recorder: Recorder, work: Work): Promise<void> {
  for (const { ids, measure } of raw ?? []) {
    try {
      const sample = await measure(work);
      for (const id of ids) recorder.add(id, 'curl', sample);
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      for (const id of ids) recorder.fail(id, 'curl', error.message);
    }
  }
}

class Recorder {
  readonly #results: SettingResults;
  readonly #say: (line: string) => void;

  constructor(results: SettingResults, say: (line: string) => void) {
    this.#results = results;
    this.#say = say;
  }

  add(id: string, contestant: Contestant, sample: Sample): void {
    this.#outcome(id, contestant).samples.push(sample);
    const unit = this.#results.measured.find((row) => row.id === id)?.unit ?? '';
    this.#say(`${id.padEnd(28)} ${contestant.padEnd(9)} ${formatNumber(sample.value)} ${unit}`);
  }

  fail(id: string, contestant: Contestant, message: string): void {
    this.#outcome(id, contestant).failures.push(message);
    this.#say(`${id.padEnd(28)} ${contestant.padEnd(9)} ${message}`);
  }

  hasGivenUp(id: string, contestant: Contestant): boolean {
    return this.#outcome(id, contestant).failures.some((message) => message.startsWith('>'));
  }

  #outcome(id: string, contestant: Contestant): Outcome {
    const outcomes: Outcomes = (this.#results.outcomes[id] ??= {});
    return (outcomes[contestant] ??= { samples: [], failures: [] });
  }
}
