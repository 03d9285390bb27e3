/** Numbers of files that a put or get has dealt with, filled while it runs. */
export class TransferSummary {
  transferred = 0;
  transferredBytes = 0;
  /** Files that were up to date. */
  already = 0;
  failed = 0;
}
