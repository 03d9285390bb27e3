/** User extended attributes of files, directories and symlinks, kept in metadata and limited by what that can hold. */
import { FsError } from '../errors.js';
import type { Node } from './nodes.js';
import { headersOfAttributes, metadataBytes } from './stored-attributes.js';
import type { WorkingParts } from './working-parts.js';

/** The namespace of xattr(7) that a file system of this kind can keep. */
const userNamespace = 'user.';

type ExtendedAttributeOptions = Pick<WorkingParts, 'store' | 'writeBack' | 'clock'>;

export class ExtendedAttributeOperations {
  readonly #options: ExtendedAttributeOptions;

  constructor(options: ExtendedAttributeOptions) {
    this.#options = options;
  }

  get(node: Node, name: string): Uint8Array {
    requireUserNamespace(node, name);
    const value = node.attributes.extended.get(name);
    if (!value) throw new FsError('ENODATA', `${node.key}: no attribute ${name}`);
    return value;
  }

  list(node: Node): string[] {
    return [...node.attributes.extended.keys()].filter((name) => name.startsWith(userNamespace));
  }

  set(node: Node, name: string, value: Uint8Array, mode: 'create' | 'replace' | 'either'): void {
    requireUserNamespace(node, name);
    const { extended } = node.attributes;
    if (mode === 'create' && extended.has(name)) throw new FsError('EEXIST', `${node.key}: ${name} exists`);
    if (mode === 'replace' && !extended.has(name))
      throw new FsError('ENODATA', `${node.key}: no attribute ${name}`);
    this.#change(node, new Map([...extended, [name, Buffer.from(value)]]));
  }

  remove(node: Node, name: string): void {
    requireUserNamespace(node, name);
    const extended = new Map(node.attributes.extended);
    if (!extended.delete(name)) throw new FsError('ENODATA', `${node.key}: no attribute ${name}`);
    this.#change(node, extended);
  }

  #change(node: Node, extended: ReadonlyMap<string, Uint8Array>): void {
    const { store, writeBack, clock } = this.#options;
    const { maxMetadataBytes } = store.limits;
    const attributes = { ...node.attributes, extended, ctimeNs: clock.nowNs() };
    const { metadata } = headersOfAttributes(attributes, undefined);
    if (metadataBytes(metadata) > maxMetadataBytes) {
      throw new FsError('ENOSPC', `${node.key}: the server keeps ${maxMetadataBytes} bytes of metadata`);
    }
    node.attributes = attributes;
    writeBack.scheduleAttributes(node);
  }
}

function requireUserNamespace(node: Node, name: string): void {
  if (!name.startsWith(userNamespace)) {
    throw new FsError('EOPNOTSUPP', `${node.key}: ${name}: only user.* attributes can be kept`);
  }
}
