/** Runs checks in their order. What depends on one that failed is not run, and says so; everything else goes on. */

type Verdict = 'ok' | 'warning' | 'failed' | 'not checked';

export interface Finding {
  readonly verdict: Verdict;
  /** What was found, and what to do about it, in one line. */
  readonly text: string;
}

export interface Check {
  /** Short, and in no two checks the same. */
  readonly name: string;
  /** Names of earlier checks, which must not have failed. */
  readonly needs: readonly string[];
  /** What it rejects with is a failure. */
  run(signal: AbortSignal): Promise<Finding>;
}

export interface NamedFinding extends Finding {
  readonly name: string;
}

/** Rejects with the signal's reason if it aborts. `describe`: one line for whatever a check rejects with. */
export async function runChecks(
  checks: readonly Check[],
  signal: AbortSignal,
  describe: (error: unknown) => string,
  onFinding: (finding: NamedFinding) => void,
): Promise<readonly NamedFinding[]> {
  const findings = new Map<string, NamedFinding>();
  for (const check of checks) {
    const { name, needs } = check;
    signal.throwIfAborted();
    const obstacle = needs.find((need) => !isPassed(findings.get(need)));
    const finding =
      obstacle === undefined
        ? await check.run(signal).catch((error: unknown) => failed(describe(error)))
        : ({
            verdict: 'not checked',
            text: `because "${obstacle}" ${whyNot(findings.get(obstacle))}`,
          } as const);
    signal.throwIfAborted();
    const named = { name, ...finding };
    findings.set(name, named);
    onFinding(named);
  }
  return [...findings.values()];
}

export function ok(text: string): Finding {
  return { verdict: 'ok', text };
}

export function warning(text: string): Finding {
  return { verdict: 'warning', text };
}

export function failed(text: string): Finding {
  return { verdict: 'failed', text };
}

export function notChecked(text: string): Finding {
  return { verdict: 'not checked', text };
}

function isPassed(finding: Finding | undefined): boolean {
  return finding?.verdict === 'ok' || finding?.verdict === 'warning';
}

function whyNot(finding: Finding | undefined): string {
  return finding?.verdict === 'failed' ? 'failed' : 'was not checked';
}
