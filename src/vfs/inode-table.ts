/**
 * Which inodes exist: the nodes by their ids, how often the kernel holds each, and when one may be dropped. Ids are
 * never used twice in one mount.
 */
import { FsError } from '../errors.js';
import { rootInode, type InodeId } from '../file-system.js';
import type { ObjectInfo } from '../object-store.js';
import { InodeNumbers, numberOf } from './inode-numbers.js';
import { DirectoryNode, FileNode, nodesBelow, type Node } from './nodes.js';
import type { StoredAttributes } from './stored-attributes.js';

export class InodeTable {
  readonly root: DirectoryNode;
  readonly #nodes = new Map<InodeId, Node>();
  readonly #numbers = new InodeNumbers();
  #nextId: InodeId = rootInode + 1;

  constructor(rootPrefix: string, rootAttributes: StoredAttributes, nowMs: number) {
    this.root = new DirectoryNode({
      id: rootInode,
      parent: undefined,
      name: '',
      attributes: rootAttributes,
      validatedAtMs: nowMs,
      rootPrefix,
    });
    this.#nodes.set(rootInode, this.root);
  }

  get size(): number {
    return this.#nodes.size;
  }

  nodes(): IterableIterator<Node> {
    return this.#nodes.values();
  }

  /** Rejects with ESTALE an id that the kernel has already forgotten: a defect of the driver, or of ours. */
  get(id: InodeId): Node {
    const node = this.#nodes.get(id);
    if (!node) throw new FsError('ESTALE', `inode ${id} is not known`);
    return node;
  }

  directory(id: InodeId): DirectoryNode {
    const node = this.get(id);
    if (node.kind !== 'directory') throw new FsError('ENOTDIR', `${node.key}: not a directory`);
    return node;
  }

  file(id: InodeId): FileNode {
    const node = this.get(id);
    if (node.kind !== 'file') throw new FsError('EISDIR', `${node.key}: a directory`);
    return node;
  }

  /** st_ino of an entry of this name. */
  numberAt(parent: DirectoryNode, name: string, kind: 'file' | 'directory'): bigint {
    const live = parent.children.get(name);
    if (live?.kind === kind) return numberOf(live);
    return this.#numbers.at(`${parent.prefix}${name}${kind === 'directory' ? '/' : ''}`);
  }

  addFile(
    parent: DirectoryNode,
    name: string,
    attributes: StoredAttributes,
    info: ObjectInfo | undefined,
    nowMs: number,
  ): FileNode {
    const node = new FileNode({ id: this.#nextId++, parent, name, attributes, info, validatedAtMs: nowMs });
    this.#adopt(parent, node);
    return node;
  }

  addDirectory(
    parent: DirectoryNode,
    name: string,
    attributes: StoredAttributes,
    nowMs: number,
  ): DirectoryNode {
    const node = new DirectoryNode({ id: this.#nextId++, parent, name, attributes, validatedAtMs: nowMs });
    this.#adopt(parent, node);
    return node;
  }

  /** The node loses its name. It stays known by its id as long as the kernel holds it. */
  remove(node: Node): void {
    if (this.#nodes.has(node.id)) this.#numbers.keep(node);
    node.isRemoved = true;
    if (node.parent?.children.get(node.name) === node) node.parent.children.delete(node.name);
    if (node.kind === 'directory') for (const child of [...node.children.values()]) this.remove(child);
    this.release(node);
  }

  /** Gives the node another name; the name must be free. */
  move(node: Node, newParent: DirectoryNode, newName: string): void {
    for (const below of nodesBelow(node)) if (this.#nodes.has(below.id)) this.#numbers.keep(below);
    const oldParent = node.parent;
    if (oldParent?.children.get(node.name) === node) oldParent.children.delete(node.name);
    node.parent = newParent;
    node.name = newName;
    newParent.children.set(newName, node);
    if (oldParent) this.release(oldParent);
  }

  /** Drops the node, and then its parents, if nobody needs it any more. */
  release(node: Node): void {
    for (let current: Node | undefined = node; current; current = current.parent) {
      if (current === this.root || current.lookups > 0 || current.pins > 0) return;
      if (current.hasUnstoredAttributes && !current.isRemoved) return;
      if (current.kind === 'directory' && current.children.size > 0) return;
      if (current.kind === 'file' && (current.content || current.handles.size > 0)) return;
      this.#nodes.delete(current.id);
      this.#numbers.giveBack(current);
      if (current.parent?.children.get(current.name) === current)
        current.parent.children.delete(current.name);
    }
  }

  /**
   * Makes a node known that was found, and dropped by the end of a background store before it could be handed out. The
   * caller counts a lookup in the same turn.
   */
  revive(node: Node): void {
    for (let current: Node | undefined = node; current; current = current.parent) {
      if (this.#nodes.has(current.id)) return;
      this.#nodes.set(current.id, current);
      this.#numbers.give(current);
      const { parent, name, isRemoved } = current;
      if (!isRemoved && parent && !parent.children.has(name)) parent.children.set(name, current);
    }
  }

  checkInvariants(): void {
    const numbers = new Map<bigint, Node>();
    for (const [id, node] of this.#nodes) {
      const fail = (what: string) => {
        throw new Error(`inode ${id} (${node.key}): ${what}`);
      };
      if (node.id !== id) fail('is known by another id');
      const other = numbers.get(numberOf(node));
      if (other) fail(`has the number of inode ${other.id} (${other.key})`);
      numbers.set(numberOf(node), node);
      if (node.isRemoved || node === this.root) continue;
      if (node.parent?.children.get(node.name) !== node) fail('is not its parent’s child');
      if (node.parent && this.#nodes.get(node.parent.id) !== node.parent) fail('outlived its parent');
    }
  }

  #adopt(parent: DirectoryNode, node: Node): void {
    const previous = parent.children.get(node.name);
    if (previous) throw new Error(`${node.key}: the name is taken`);
    this.#nodes.set(node.id, node);
    this.#numbers.give(node);
    parent.children.set(node.name, node);
  }
}
