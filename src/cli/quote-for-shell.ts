/** Text for lines that a user gives to a shell, read back by it as it is. */

export function quoteForShell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Plain words stay as they are, for lines that people read. */
export function quoteWhereNeeded(text: string): string {
  return /^[A-Za-z0-9_./:@%+,=-]+$/.test(text) ? text : quoteForShell(text);
}
