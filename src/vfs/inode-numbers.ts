/**
 * Inode numbers (st_ino): derived from keys, so that they are the same after a remount and from every machine, but for
 * files that were moved or removed and that somebody still knows. Those keep theirs, and what is found or made under their
 * former names gets another: programs take two files of one number for the same file.
 */
import { hash } from 'node:crypto';
import type { Node } from './nodes.js';

const reservedNumbers = 16n;

/** 64 bits of a hash of the key; a directory's key ends in '/'. Never one of the small numbers that have a meaning. */
export function inodeNumberOf(key: string): bigint {
  const number = hash('md5', key, 'buffer').readBigUInt64LE(0);
  return number < reservedNumbers ? number + reservedNumbers : number;
}

/** The numbers that are not those of the keys of their nodes. All others follow from the keys, and take no memory. */
export class InodeNumbers {
  /** Invariant: each node has this number in `ownNumber`, and is known to the inode table. */
  readonly #taken = new Map<bigint, Node>();

  /** That of a node to be made for this key. */
  at(key: string): bigint {
    let number = inodeNumberOf(key);
    for (let attempt = 1; this.#taken.has(number); attempt += 1) number = inodeNumberOf(`${key}\0${attempt}`);
    return number;
  }

  /** A node of this key was made. */
  give(node: Node): void {
    const number = this.at(node.key);
    if (number !== inodeNumberOf(node.key)) this.#set(node, number);
  }

  /** The node keeps its number whatever becomes of its name. To be called before that. */
  keep(node: Node): void {
    if (node.ownNumber === undefined) this.#set(node, inodeNumberOf(node.key));
  }

  /** Nobody knows the node any more. */
  giveBack(node: Node): void {
    if (node.ownNumber === undefined) return;
    this.#taken.delete(node.ownNumber);
    node.ownNumber = undefined;
  }

  #set(node: Node, number: bigint): void {
    node.ownNumber = number;
    this.#taken.set(number, node);
  }
}

/** st_ino of a node. */
export function numberOf(node: Node): bigint {
  return node.ownNumber ?? inodeNumberOf(node.key);
}
