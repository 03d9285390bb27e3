/** A command that could not do what it was asked; exit code 1. The message says in one line why, and what to do. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}
