/**
 * Bucket policies, as far as the gateway evaluates them. It refuses a policy with anything unknown when the policy is set, so
 * that no policy only seems to protect: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html
 */
import { S3Error } from '../s3-error.js';

/** The actions that the gateway checks. */
export type PolicyAction =
  | 's3:PutObject'
  | 's3:GetObject'
  | 's3:GetObjectTagging'
  | 's3:PutObjectTagging'
  | 's3:DeleteObjectTagging'
  | 's3:DeleteObject'
  | 's3:AbortMultipartUpload'
  | 's3:ListMultipartUploadParts'
  | 's3:ListBucket'
  | 's3:ListBucketMultipartUploads';

export interface Policy {
  readonly statements: readonly Statement[];
}

export interface Statement {
  readonly effect: 'Allow' | 'Deny';
  /** Patterns with `*` and `?`, in lower case. */
  readonly actions: readonly string[];
  /** Patterns for BUCKET or BUCKET/KEY. */
  readonly resources: readonly string[];
  readonly conditions: readonly Condition[];
}

export interface Condition {
  readonly operator: Operator;
  /** Holds also if there is no such value. */
  readonly isIfExists: boolean;
  /** In lower case: the name of a header, or `aws:securetransport`. */
  readonly name: string;
  readonly values: readonly string[];
}

const operators = ['Null', 'Bool', 'StringEquals', 'StringNotEquals', 'StringLike', 'StringNotLike'] as const;
export type Operator = (typeof operators)[number];

const versions = ['2012-10-17', '2008-10-17'];
const resourcePrefix = 'arn:aws:s3:::';
/** The headers that the force-encryption policies use. */
const conditionNames = [
  's3:x-amz-server-side-encryption',
  's3:x-amz-server-side-encryption-customer-algorithm',
  's3:x-amz-acl',
  'aws:securetransport',
];

/** Throws `MalformedPolicy`, or `NotImplemented` for policies that are not evaluated here. */
export function parsePolicy(text: string, bucket: string): Policy {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new S3Error('MalformedPolicy', 'Policies must be valid JSON.', { cause });
  }
  const version = fieldOf(document, 'Version') ?? '2008-10-17';
  if (!versions.includes(version as string))
    throw malformedPolicy(`Version must be one of ${versions.join(', ')}`);
  const statements = listOf(fieldOf(document, 'Statement'));
  if (statements.length === 0) throw malformedPolicy('there is no Statement');
  return { statements: statements.map((statement) => parseStatement(statement, bucket)) };
}

function parseStatement(statement: unknown, bucket: string): Statement {
  const effect = fieldOf(statement, 'Effect');
  if (effect !== 'Allow' && effect !== 'Deny') throw malformedPolicy('Effect must be Allow or Deny');
  for (const name of ['NotPrincipal', 'NotAction', 'NotResource']) {
    if (fieldOf(statement, name) !== undefined) throw notEvaluated(name);
  }
  const principal = fieldOf(statement, 'Principal');
  if (principal === undefined) throw malformedPolicy('Principal is missing');
  const isEverybody = principal === '*' || policyTexts(fieldOf(principal, 'AWS'), 'Principal').includes('*');
  if (!isEverybody && effect === 'Deny') throw notEvaluated('a Principal other than *');
  const resources = policyTexts(fieldOf(statement, 'Resource'), 'Resource').map((resource) => {
    if (!resource.startsWith(resourcePrefix))
      throw malformedPolicy(`Resource must begin with ${resourcePrefix}`);
    return resource.slice(resourcePrefix.length);
  });
  if (
    resources.some(
      (resource) => resource !== bucket && !resource.startsWith(`${bucket}/`) && resource !== '*',
    )
  ) {
    throw malformedPolicy("Resource is not this bucket's");
  }
  return {
    effect,
    actions: policyTexts(fieldOf(statement, 'Action'), 'Action').map((action) => action.toLowerCase()),
    resources,
    conditions: parseConditions(fieldOf(statement, 'Condition')),
  };
}

function parseConditions(conditions: unknown): Condition[] {
  if (conditions === undefined) return [];
  return entriesOf(conditions).flatMap(([word, tests]) => {
    const operator = operators.find((candidate) => candidate === word.replace(/IfExists$/, ''));
    if (operator === undefined) throw notEvaluated(`the condition operator ${word}`);
    return entriesOf(tests).map(([name, values]) => {
      if (!conditionNames.includes(name.toLowerCase())) throw notEvaluated(`the condition key ${name}`);
      return {
        operator,
        isIfExists: word.endsWith('IfExists'),
        name: name.toLowerCase().replace(/^s3:/, ''),
        values: listOf(values).map(String),
      };
    });
  });
}

function entriesOf(value: unknown): [string, unknown][] {
  if (typeof value !== 'object' || value === null)
    throw malformedPolicy('Condition must be an object of objects');
  return Object.entries(value);
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (Reflect.get(value, name) as unknown)
    : undefined;
}

/** JSON policies allow one value or a list everywhere. */
function listOf(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as readonly unknown[]) : [value];
}

function policyTexts(value: unknown, name: string): string[] {
  const texts = listOf(value).filter((item) => typeof item === 'string');
  if (texts.length === 0) throw malformedPolicy(`${name} is missing`);
  return texts;
}

function malformedPolicy(reason: string): S3Error {
  return new S3Error('MalformedPolicy', `The policy makes no sense: ${reason}.`);
}

function notEvaluated(what: string): S3Error {
  return new S3Error('NotImplemented', `This gateway does not evaluate ${what} in policies.`);
}
