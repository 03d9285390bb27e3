/** Runs checks in their order. A check that depends on a failed one is skipped and says so; all others run. */

type Verdict = 'ok' | 'warning' | 'failed' | 'not checked';

export interface Finding {
  readonly verdict: Verdict;
  /** What was found, and what to do about it, in one line. */
  readonly text: string;
}

export interface Check {
  /** Short and unique. */
  readonly name: string;
  /** Names of earlier checks, which must not have failed. */
  readonly needs: readonly string[];
  /** A rejection is a failure. */
  run(signal: AbortSignal): Promise<Finding>;
}

export interface NamedFinding extends Finding {
  readonly name: string;
}

/** Rejects with the signal's reason if it aborts. `describe` turns what a check rejects with into one line. */
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
