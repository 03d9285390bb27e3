/**
 * Sets the force-encryption policy in the form that works on this server, tested by real requests, or puts the former policy back.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { CustomerKey, customerKeyBytes } from '../keys/customer-key.js';
import { StoreError } from '../errors.js';
import type { BucketAdministration, ProbeEncryption } from '../s3/bucket-administration.js';
import { policyForms, withStatement, type PolicyForm } from './force-encryption.js';

interface Enforced {
  readonly form: PolicyForm;
  readonly allowsMultipart: boolean;
}

/** No form does what it should; the former policy is back in place, unless `lost` has it. */
export class PolicyFailure extends Error {
  override readonly name = 'PolicyFailure';

  constructor(
    message: string,
    /** The former policy, which could not be put back; `none` where there was none. */
    readonly lost: string | undefined,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** AWS takes a while until a policy counts everywhere, so a wrong answer is asked for again. */
const tries = 5;
const defaultRetryMs = 1_000;
const rollbackTimeoutMs = 60_000;

/**
 * Rejects with a `PolicyFailure` if no form works, with a StoreError if the policy cannot be read, and with the signal's
 * reason; whenever it rejects, the former policy is in place again. `retryMs`: between two tries of a request.
 */
export async function enforcePolicy(
  administration: BucketAdministration,
  signal: AbortSignal,
  retryMs = defaultRetryMs,
): Promise<Enforced> {
  const former = await administration.getPolicy(signal);
  const candidates = formsFor(former, administration.bucket);
  const probeKey = new CustomerKey(randomBytes(customerKeyBytes));
  const found: string[] = [];
  try {
    for (const [form, policy] of candidates) {
      const failure = await tryForm(administration, form, policy, probeKey, signal, retryMs);
      if (failure === undefined) {
        const { encryption } = policyForms[form];
        return { form, allowsMultipart: await allowsMultipart(administration, probeKey, encryption, signal) };
      }
      found.push(`${policyForms[form].conditionName}: ${failure}`);
    }
  } catch (error) {
    await rollBack(administration, former, error);
    throw signal.aborted ? signal.reason : error;
  }
  await rollBack(administration, former, undefined);
  throw new PolicyFailure(
    `no form of the policy works on this server, and the bucket has its former policy again (${found.join('; ')})`,
    undefined,
  );
}

function formsFor(former: string | undefined, bucket: string): [PolicyForm, string][] {
  try {
    const forms = Object.keys(policyForms) as PolicyForm[];
    return forms.map((form) => [form, withStatement(former, bucket, form)]);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new PolicyFailure(`the bucket's policy is not understood, and left as it is`, undefined, {
      cause: error,
    });
  }
}

/** Undefined if it works, else what went wrong. */
async function tryForm(
  administration: BucketAdministration,
  form: PolicyForm,
  policy: string,
  probeKey: CustomerKey,
  signal: AbortSignal,
  retryMs: number,
): Promise<string | undefined> {
  try {
    await administration.setPolicy(policy, signal);
  } catch (error) {
    if (error instanceof StoreError && (error.code === 'InvalidRequest' || error.code === 'NotImplemented')) {
      return `the server refuses it: ${error.message}`;
    }
    throw error;
  }
  const passes = (encryption: ProbeEncryption) => isAllowed(administration, probeKey, encryption, signal);
  for (let attempt = 1; ; attempt += 1) {
    const plainPasses = await passes('none');
    const encryptedPasses = await passes(policyForms[form].encryption);
    if (!plainPasses && encryptedPasses) return undefined;
    if (attempt >= tries || (!plainPasses && attempt >= 2)) {
      return plainPasses ? 'it does not deny a plain PUT' : 'it denies an SSE-C PUT too';
    }
    await delay(retryMs, undefined, { signal });
  }
}

async function isAllowed(
  administration: BucketAdministration,
  probeKey: CustomerKey,
  encryption: ProbeEncryption,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await administration.withProbe(probeKey, encryption, signal, () => Promise.resolve());
    return true;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    if (error.code === 'AccessDenied') return false;
    // AWS refuses the header together with a customer key.
    if (error.code === 'InvalidRequest' && encryption !== 'none') return false;
    throw error;
  }
}

async function allowsMultipart(
  administration: BucketAdministration,
  probeKey: CustomerKey,
  encryption: ProbeEncryption,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await administration.beginUpload(probeKey, encryption, signal);
    return true;
  } catch (error) {
    if (error instanceof StoreError && error.code === 'AccessDenied') return false;
    throw error;
  }
}

/** Has a time limit of its own: an interrupt must not leave a policy that was only being tried. */
async function rollBack(
  administration: BucketAdministration,
  former: string | undefined,
  reason: unknown,
): Promise<void> {
  try {
    await administration.setPolicy(former, AbortSignal.timeout(rollbackTimeoutMs));
  } catch (error) {
    throw new PolicyFailure(
      `the former policy could not be put back: ${error instanceof Error ? error.message : String(error)}`,
      former ?? 'none',
      { cause: reason ?? error },
    );
  }
}
