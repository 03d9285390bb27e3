/** What the commands print: results to stdout, everything else to stderr, a line at a time. */

export function announce(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function complain(line: string): void {
  process.stderr.write(`osirisfs: ${line}\n`);
}
