/**
 * The policy that makes a server refuse what is not encrypted under a customer key: its forms, and how to find it among other
 * statements. Pure. `enforce-policy.ts` sets it and tries it out.
 */
import type { ProbeEncryption } from '../s3/bucket-administration.js';

export type PolicyForm = 'customer-algorithm' | 'encryption-header';

interface FormFacts {
  /** A request without it is denied. */
  readonly conditionName: string;
  /** The headers that a PUT needs. */
  readonly encryption: ProbeEncryption;
}

/** In the order in which they are tried: AWS and Ceph from Tentacle on know the first; to older Ceph it denies everything. */
export const policyForms: Readonly<Record<PolicyForm, FormFacts>> = {
  'customer-algorithm': {
    conditionName: 's3:x-amz-server-side-encryption-customer-algorithm',
    encryption: 'customer key',
  },
  'encryption-header': {
    conditionName: 's3:x-amz-server-side-encryption',
    encryption: 'customer key and header',
  },
};

export const ownSid = 'OsirisfsForceEncryption';

interface PolicyDocument {
  readonly Version?: unknown;
  readonly Statement: readonly unknown[];
  readonly [name: string]: unknown;
}

/** The policy with our statement in this form, and all others as they are. Throws a SyntaxError if `former` is no policy. */
export function withStatement(former: string | undefined, bucket: string, form: PolicyForm): string {
  const document = former === undefined ? emptyDocument : parse(former);
  const own = {
    Sid: ownSid,
    Effect: 'Deny',
    Principal: '*',
    Action: 's3:PutObject',
    Resource: resourceOf(bucket),
    Condition: { Null: { [policyForms[form].conditionName]: 'true' } },
  };
  return JSON.stringify({ ...document, Statement: [...othersIn(document), own] });
}

/** The resource that names all objects of the bucket. A bucket of another tenant of Ceph is `TENANT:BUCKET`. */
function resourceOf(bucket: string): string {
  const [name = '', tenant = ''] = bucket.split(':').reverse();
  return `arn:aws:s3::${tenant}:${name}/*`;
}

/** The policy without our statement; undefined if nothing is left of it. */
export function withoutStatement(former: string): string | undefined {
  const document = parse(former);
  const others = othersIn(document);
  return others.length === 0 ? undefined : JSON.stringify({ ...document, Statement: others });
}

/** The form of our statement; undefined if there is none. */
export function formOf(policy: string | undefined): PolicyForm | undefined {
  if (policy === undefined) return undefined;
  const own = parse(policy).Statement.find(isOwn);
  const forms = Object.keys(policyForms) as PolicyForm[];
  return forms.find((form) => nullConditionsOf(own).includes(policyForms[form].conditionName));
}

/**
 * Whether some statement, ours or not, denies PUTs without the header `x-amz-server-side-encryption`, which a PUT with a
 * customer key need not have otherwise. False for what is not a policy.
 */
export function demandsEncryptionHeader(policy: string): boolean {
  try {
    return parse(policy).Statement.some(
      (statement) =>
        fieldOf(statement, 'Effect') === 'Deny' &&
        nullConditionsOf(statement).includes(policyForms['encryption-header'].conditionName),
    );
  } catch {
    return false;
  }
}

const emptyDocument: PolicyDocument = { Version: '2012-10-17', Statement: [] };

function parse(text: string): PolicyDocument {
  const document: unknown = JSON.parse(text);
  const statement = fieldOf(document, 'Statement');
  if (typeof document !== 'object' || document === null || statement === undefined) {
    throw new SyntaxError('no policy: there is no Statement');
  }
  return { ...document, Statement: Array.isArray(statement) ? (statement as unknown[]) : [statement] };
}

function othersIn({ Statement }: PolicyDocument): unknown[] {
  return Statement.filter((statement) => !isOwn(statement));
}

function isOwn(statement: unknown): boolean {
  return fieldOf(statement, 'Sid') === ownSid;
}

/** The names that must be missing for the statement to apply, in lower case. */
function nullConditionsOf(statement: unknown): string[] {
  const missing = fieldOf(fieldOf(statement, 'Condition'), 'Null');
  if (typeof missing !== 'object' || missing === null) return [];
  return Object.entries(missing)
    .filter(([, value]) => String(value) === 'true')
    .map(([name]) => name.toLowerCase());
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (Reflect.get(value, name) as unknown) : undefined;
}
