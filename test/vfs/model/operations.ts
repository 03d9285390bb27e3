/** The operations that the model test draws, and the few names that they are about, so that they often meet. */
import { fc } from '../../seed.js';

export const maxFileBytes = 1500;
/** Also such as another one looks like when it is encoded or decoded once too often. */
const names = ['a', 'a b', 'a%20b', 'ü 95% x'];
export const directories = ['', 'd', 'd%2Fs', 'd/s'];
export const paths = directories.flatMap((directory) =>
  names.map((name) => (directory ? `${directory}/${name}` : name)),
);

export type HandleOperation =
  | { readonly kind: 'read'; readonly handle: number; readonly offset: number; readonly length: number }
  | {
      readonly kind: 'write';
      readonly handle: number;
      readonly offset: number;
      readonly length: number;
      readonly fill: number;
    }
  | { readonly kind: 'truncate'; readonly handle: number; readonly size: number }
  | { readonly kind: 'zero'; readonly handle: number; readonly offset: number; readonly length: number }
  | {
      readonly kind: 'copy';
      readonly handle: number;
      readonly target: number;
      readonly offset: number;
      readonly targetOffset: number;
      readonly length: number;
    }
  | { readonly kind: 'synchronize'; readonly handle: number }
  | { readonly kind: 'close'; readonly handle: number };

export type OpenMode = 'read' | 'write' | 'truncate' | 'create' | 'exclusive';

export type PathOperation =
  | { readonly kind: 'truncatePath'; readonly path: number; readonly size: number }
  /** `hold`: the kernel knows its inode from now on. */
  | { readonly kind: 'unlink' | 'stat' | 'hold'; readonly path: number }
  | { readonly kind: 'chmod'; readonly path: number; readonly permissions: number }
  /** utimens(2), to so many seconds since 1970. */
  | { readonly kind: 'setTime'; readonly path: number; readonly seconds: number };

/** By another client, which knows nothing of this mount. */
export type ForeignOperation =
  | { readonly kind: 'foreignDelete'; readonly path: number }
  | { readonly kind: 'foreignPut'; readonly path: number; readonly length: number; readonly fill: number }
  /** The same bytes are put again, with other attributes. */
  | {
      readonly kind: 'foreignTouch';
      /** Of the files that there are. */
      readonly file: number;
      /** Whether the file is looked at before, and when what was seen is too old. */
      readonly isLookedAt: boolean;
      readonly permissions: number;
      /** Of the time of change, since 1970. */
      readonly seconds: number;
    }
  /** Replaces or removes a file right before what was changed here is stored by a close. */
  | {
      readonly kind: 'race';
      readonly handle: number;
      readonly theirs: 'put' | 'delete';
      readonly length: number;
      readonly fill: number;
    }
  | { readonly kind: 'foreignRename'; readonly path: number; readonly target: number }
  /** Every key below, the directory's own included. */
  | { readonly kind: 'foreignRenameDirectory'; readonly directory: number; readonly target: number };

const failingMethods = [
  'list',
  'head',
  'get',
  'put',
  'copy',
  'copy',
  'delete',
  'uploadPart',
  'uploadPartCopy',
  'completeUpload',
] as const;

type FailingMethod = (typeof failingMethods)[number];

/** What the server does from now on, for a while. */
export type FaultOperation =
  | {
      readonly kind: 'fail';
      readonly method: FailingMethod;
    }
  /** Answers the next requests of any kind with 503. */
  | { readonly kind: 'throttle'; readonly requests: number }
  /** Answers 403 to whoever reads one key, or any; `writes`: also to whoever stores it. */
  | {
      readonly kind: 'deny';
      /** Of what there is, or all of it. */
      readonly key: number;
      readonly writes: boolean;
      /** What was known is too old when it begins. */
      readonly isUnexpected: boolean;
      readonly operations: number;
    }
  /** Does not answer one request, until it does, or the connection is given up, or the caller does not want to wait. */
  | {
      readonly kind: 'silence';
      /** So many requests are answered before. */
      readonly after: number;
      readonly outcome: 'answer' | 'timeout' | 'interrupt';
      /** The request is carried out, and only the answer does not come. */
      readonly isCarriedOut: boolean;
    };

export function isFault(operation: Operation): operation is FaultOperation {
  return faultKinds.has(operation.kind);
}

const faultKinds: ReadonlySet<string> = new Set<FaultOperation['kind']>([
  'fail',
  'throttle',
  'deny',
  'silence',
]);

export type Operation =
  | HandleOperation
  | PathOperation
  | ForeignOperation
  | FaultOperation
  | { readonly kind: 'open'; readonly path: number; readonly mode: OpenMode }
  | { readonly kind: 'mkdir' | 'rmdir' | 'list'; readonly directory: number }
  | { readonly kind: 'rename'; readonly path: number; readonly target: number }
  | { readonly kind: 'renameDirectory'; readonly directory: number; readonly target: number }
  /** `forget`: the kernel, everything. */
  | { readonly kind: 'expire' | 'forget' | 'remount' };

const index = fc.nat({ max: 1000 });
const offset = fc.nat({ max: maxFileBytes });
const length = fc.integer({ min: 1, max: 400 });
const fill = fc.integer({ min: 1, max: 255 });
const seconds = fc.nat({ max: 2 ** 31 });
/** Never none at all, as of what cannot be read. */
const permissions = fc.integer({ min: 1, max: 0o777 });

function kind<const T extends string>(...kinds: T[]): fc.Arbitrary<T> {
  return fc.constantFrom(...kinds);
}

const weighted: readonly (readonly [weight: number, arbitrary: fc.Arbitrary<Operation>])[] = [
  [
    6,
    fc.record({
      kind: kind('open'),
      path: index,
      mode: fc.constantFrom<OpenMode[]>('read', 'write', 'truncate', 'create', 'exclusive'),
    }),
  ],
  [6, fc.record({ kind: kind('read'), handle: index, offset, length })],
  [10, fc.record({ kind: kind('write'), handle: index, offset, length, fill })],
  [3, fc.record({ kind: kind('truncate'), handle: index, size: offset })],
  [2, fc.record({ kind: kind('zero'), handle: index, offset, length })],
  [4, fc.record({ kind: kind('copy'), handle: index, target: index, offset, targetOffset: offset, length })],
  [3, fc.record({ kind: kind('synchronize'), handle: index })],
  [5, fc.record({ kind: kind('close'), handle: index })],
  [1, fc.record({ kind: kind('truncatePath'), path: index, size: offset })],
  [4, fc.record({ kind: kind('unlink', 'stat', 'foreignDelete'), path: index })],
  [2, fc.record({ kind: kind('foreignPut'), path: index, length: offset, fill })],
  [
    2,
    fc.record({
      kind: kind('foreignTouch'),
      file: index,
      isLookedAt: fc.boolean(),
      permissions,
      seconds,
    }),
  ],
  [
    2,
    fc.record({
      kind: kind('race'),
      handle: index,
      theirs: fc.constantFrom<('put' | 'delete')[]>('put', 'delete'),
      length: offset,
      fill,
    }),
  ],
  [1, fc.record({ kind: kind('foreignRename'), path: index, target: index })],
  [1, fc.record({ kind: kind('foreignRenameDirectory'), directory: index, target: index })],
  [5, fc.record({ kind: kind('mkdir', 'mkdir', 'rmdir', 'list'), directory: index })],
  [4, fc.record({ kind: kind('rename'), path: index, target: index })],
  [2, fc.record({ kind: kind('renameDirectory'), directory: index, target: index })],
  [2, fc.record({ kind: kind('chmod'), path: index, permissions })],
  [1, fc.record({ kind: kind('setTime'), path: index, seconds })],
  [
    2,
    fc.record({
      kind: kind('fail'),
      method: fc.constantFrom<FailingMethod[]>(...failingMethods),
    }),
  ],
  [2, fc.record({ kind: kind('throttle'), requests: fc.integer({ min: 1, max: 8 }) })],
  [
    3,
    fc.record({
      kind: kind('deny'),
      key: index,
      writes: fc.boolean(),
      isUnexpected: fc.boolean(),
      operations: fc.integer({ min: 1, max: 8 }),
    }),
  ],
  [
    4,
    fc.record({
      kind: kind('silence'),
      after: fc.nat({ max: 3 }),
      outcome: kind('answer', 'timeout', 'interrupt'),
      isCarriedOut: fc.boolean(),
    }),
  ],
  [3, fc.record({ kind: kind('hold'), path: index })],
  [3, fc.record({ kind: kind('expire', 'forget', 'remount') })],
];

export const operations: fc.Arbitrary<Operation> = fc.oneof(
  ...weighted.map(([weight, arbitrary]) => ({ weight, arbitrary })),
);

export function pick<T>(items: readonly T[], number: number): T {
  return items[number % items.length] as T;
}

/** Mostly one of the files that there are, now and then any path. */
export function pathOf(files: ReadonlyMap<string, unknown>, number: number): string {
  return pickKnown([...files.keys()], paths, number);
}

/** Mostly one of the directories that there are. */
export function directoryOf(known: ReadonlySet<string>, number: number): string {
  return pickKnown([...known], directories, number);
}

function pickKnown(known: readonly string[], all: readonly string[], number: number): string {
  const isAny = number % 4 === 0 || known.length === 0;
  return pick(isAny ? all : known, Math.floor(number / 4));
}
