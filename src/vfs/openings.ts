/**
 * Lets opens of a file and the removal of its object pass each other. An open asks the bucket for the version, which takes a while. A
 * removal (unlink, a rename over it) lets the opens finish that have begun, and then fetches what the open handles need. Opens
 * that begin after that wait until the object is gone.
 */
import { abortable } from '../concurrency/abortable.js';
import { makeGate } from '../concurrency/deferred.js';
import type { FileContents } from './file-contents.js';
import type { FileNode } from './nodes.js';
import type { Reopenings } from './reopenings.js';

export class Openings {
  readonly #contents: FileContents;
  readonly #reopenings: Reopenings;

  constructor(contents: FileContents, reopenings: Reopenings) {
    this.#contents = contents;
    this.#reopenings = reopenings;
  }

  /** An open of this file has begun. Returns what ends it, which may be called again. */
  begin(node: FileNode): () => void {
    const { opened: opening, open: end } = makeGate();
    node.addOpening(opening);
    this.#reopenings.arrive(node.key);
    return () => {
      node.removeOpening(opening);
      end();
    };
  }

  /** The open is about to end with ESTALE, since the file was replaced here. The kernel opens what it then finds, but only once. */
  expectAgain(node: FileNode): void {
    this.#reopenings.expect(node.key);
  }

  /**
   * Runs `remove`, which takes the object away, and keeps the content for the handles that are open, and for files that are to
   * have copies of it. If it fails, the file is as it was: the close of a program that only reads it stores nothing. To be called under
   * the node's lock.
   */
  async leave<T>(node: FileNode, signal: AbortSignal, remove: () => Promise<T>): Promise<T> {
    const reopening = this.#reopenings.arrivalOf(node.key);
    if (reopening) await abortable(reopening, signal);
    if (node.openings.size > 0) await abortable(Promise.all(node.openings), signal);
    node.isLeaving = true;
    let attach: (() => void) | undefined;
    try {
      if (node.handles.size > 0) attach = await this.#contents.of(node).detach(signal);
      if (node.info) await this.#contents.stageCopiesOf(node.info, node.content, signal);
      return await remove();
    } catch (error) {
      if (!node.isRemoved) attach?.();
      throw error;
    } finally {
      node.isLeaving = false;
    }
  }
}
