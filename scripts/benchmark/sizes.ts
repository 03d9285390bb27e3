/** How much the jobs move, by --scale. */

export type Scale = 'quick' | 'full';

export interface Sizes {
  readonly bigBytes: number;
  /** Of each of the four files that are moved at once. */
  readonly quarterBytes: number;
  readonly smallFiles: number;
  /** Entries of the two directories that are listed. */
  readonly fewEntries: number;
  readonly manyEntries: number;
  /** Files in the tree that git and rsync copy. */
  readonly treeFiles: number;
  readonly fioSeconds: number;
  /** Of the plots of growth. */
  readonly growingBytes: readonly number[];
  readonly growingEntries: readonly number[];
}

export const smallFileBytes = 16 * 1024;

export const sizesOf: Readonly<Record<Scale, Sizes>> = {
  quick: {
    bigBytes: 256 * 2 ** 20,
    quarterBytes: 64 * 2 ** 20,
    smallFiles: 200,
    fewEntries: 200,
    manyEntries: 2_000,
    treeFiles: 100,
    fioSeconds: 4,
    growingBytes: [1, 16, 256, 4_096, 65_536, 1_048_576].map((kibibytes) => kibibytes * 1024),
    growingEntries: [100, 1_000, 10_000],
  },
  full: {
    bigBytes: 2 ** 30,
    quarterBytes: 256 * 2 ** 20,
    smallFiles: 1_000,
    fewEntries: 1_000,
    manyEntries: 10_000,
    treeFiles: 1_000,
    fioSeconds: 15,
    growingBytes: [1, 16, 256, 4_096, 65_536, 1_048_576, 16_777_216].map((kibibytes) => kibibytes * 1024),
    growingEntries: [100, 1_000, 10_000, 100_000],
  },
};
