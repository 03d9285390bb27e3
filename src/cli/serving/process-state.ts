/** Whether a process is at work, from /proc/PID/stat, proc(5). */
import { readFile } from 'node:fs/promises';

/**
 * True also of a process that nobody has waited for yet (a zombie): it holds nothing any more, and the first process
 * of a container may take its time to clear it away, or never do.
 */
export async function hasEnded(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name in parentheses may itself have parentheses and spaces; the state follows it.
  const state = text.slice(text.lastIndexOf(')') + 2).charAt(0);
  return state === '' || state === 'Z' || state === 'X';
}
