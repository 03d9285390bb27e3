/** Questions on the terminal, one at a time. Ctrl-C rejects with `Interrupted`. */
import { confirm, isCancel, log, password, select, text } from '@clack/prompts';
import { Interrupted } from '../stop-signal.js';

interface Choice<T extends string> {
  readonly value: T;
  readonly label: string;
}

/** Whether there is anybody to ask. */
export function canAsk(): boolean {
  return process.stdin.isTTY && process.stdout.isTTY;
}

export async function askText(message: string, initialValue = ''): Promise<string> {
  const validate = (value: string | undefined): string | undefined =>
    (value ?? '').trim() === '' ? 'is empty' : undefined;
  return answerOf(await text({ message, initialValue, validate })).trim();
}

/** Shows nothing of the answer but its length. */
export async function askSecret(message: string): Promise<string> {
  const validate = (value: string | undefined): string | undefined =>
    (value ?? '') === '' ? 'is empty' : undefined;
  return answerOf(await password({ message, validate }));
}

export async function askChoice<T extends string>(
  message: string,
  choices: readonly Choice<T>[],
): Promise<T> {
  const options = choices.map(({ value, label }) => ({ value, label }));
  const answer = answerOf(await select<string>({ message, options }));
  const chosen = choices.find(({ value }) => value === answer);
  if (chosen === undefined) throw new Error(`no such choice: ${answer}`);
  return chosen.value;
}

export async function askYesOrNo(message: string): Promise<boolean> {
  return answerOf(await confirm({ message }));
}

/** Tells why an answer will not do, before the question is asked again. */
export function reject(line: string): void {
  log.error(line);
}

function answerOf<T>(answer: T): Exclude<T, symbol> {
  if (isCancel(answer) || typeof answer === 'symbol') throw new Interrupted('SIGINT');
  return answer as Exclude<T, symbol>;
}
