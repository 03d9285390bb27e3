/** The trusted certificate authorities for new connections. The files are read again when they may have changed. */
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls';
import { checkedTls, loadCertificateAuthorities } from './certificate-authorities.js';

interface AuthorityFiles {
  /** PEM; undefined: Node's defaults. */
  readonly bundle: string | undefined;
  /** NODE_EXTRA_CA_CERTS. */
  readonly extra: string | undefined;
}

export class TrustedAuthorities {
  /** Rejects as `loadCertificateAuthorities` does. */
  static async load(files: AuthorityFiles): Promise<TrustedAuthorities> {
    return new TrustedAuthorities(files, await loadCertificateAuthorities(files.bundle, files.extra));
  }

  readonly #files: AuthorityFiles;
  #authorities: readonly string[] | undefined;
  /** Made once: parsing some 150 root certificates for each connection would take longer than its handshake. */
  #secureContext: SecureContext;
  readonly #onChange: ((context: SecureContext) => void)[] = [];

  private constructor(files: AuthorityFiles, authorities: readonly string[] | undefined) {
    this.#files = files;
    this.#authorities = authorities;
    this.#secureContext = contextOf(authorities);
  }

  /** For a new connection. */
  get secureContext(): SecureContext {
    return this.#secureContext;
  }

  /** Calls `use` now, and again after each change. */
  useFor(use: (context: SecureContext) => void): void {
    this.#onChange.push(use);
    use(this.#secureContext);
  }

  /** Resolves with whether there are others than before. Rejects as `loadCertificateAuthorities` does. */
  async reload(): Promise<boolean> {
    const { bundle, extra } = this.#files;
    // Node's defaults do not change; only the extra files can.
    const authorities =
      bundle === undefined && extra !== undefined && extra !== ''
        ? await loadCertificateAuthorities(extra, undefined).catch(() => this.#authorities)
        : await loadCertificateAuthorities(bundle, extra);
    const former = this.#authorities ?? rootCertificates;
    if (authorities === undefined || isSameList(authorities, former)) return false;
    this.#authorities = authorities;
    this.#secureContext = contextOf(authorities);
    for (const use of this.#onChange) use(this.#secureContext);
    return true;
  }
}

function contextOf(authorities: readonly string[] | undefined): SecureContext {
  return createSecureContext({ ...checkedTls, ...(authorities !== undefined && { ca: [...authorities] }) });
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, at) => text === b[at]);
}
