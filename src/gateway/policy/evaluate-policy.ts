/** Whether a policy allows a request of the bucket's owner: it does unless it denies it. Pure. */
import { S3Error } from '../s3-error.js';
import type { Condition, Operator, Policy, PolicyAction, Statement } from './parse-policy.js';

interface PolicyQuestion {
  readonly action: PolicyAction;
  /** BUCKET or BUCKET/KEY */
  readonly resource: string;
  /** Headers by lower-case name. */
  readonly sent: Readonly<Record<string, string>>;
  readonly isSecure: boolean;
}

/** `negatesMissing`: StringNotEquals and its like hold for what was not sent, as on AWS. Throws `AccessDenied`. */
export function requireAllowed(policy: Policy, question: PolicyQuestion, negatesMissing: boolean): void {
  const isDenied = policy.statements.some(
    (statement) => statement.effect === 'Deny' && applies(statement, question, negatesMissing),
  );
  if (isDenied) throw new S3Error('AccessDenied', "The bucket's policy denies this request.");
}

function applies(statement: Statement, question: PolicyQuestion, negatesMissing: boolean): boolean {
  return (
    statement.actions.some((pattern) => isLike(question.action.toLowerCase(), pattern)) &&
    statement.resources.some((pattern) => isLike(question.resource, pattern)) &&
    statement.conditions.every((condition) => holds(condition, question, negatesMissing))
  );
}

function holds(condition: Condition, question: PolicyQuestion, negatesMissing: boolean): boolean {
  const value =
    condition.name === 'aws:securetransport' ? String(question.isSecure) : question.sent[condition.name];
  const { operator, values } = condition;
  if (operator === 'Null') return values.includes(String(value === undefined));
  if (value === undefined) return condition.isIfExists || (negatesMissing && isNegated(operator));
  return compare(operator, value, values);
}

function isNegated(operator: Operator): boolean {
  return operator === 'StringNotEquals' || operator === 'StringNotLike';
}

function compare(operator: Exclude<Operator, 'Null'>, value: string, values: readonly string[]): boolean {
  switch (operator) {
    case 'Bool':
      return values.some((candidate) => candidate.toLowerCase() === value.toLowerCase());
    case 'StringEquals':
      return values.includes(value);
    case 'StringNotEquals':
      return !values.includes(value);
    case 'StringLike':
      return values.some((pattern) => isLike(value, pattern));
    case 'StringNotLike':
      return !values.some((pattern) => isLike(value, pattern));
  }
}

/** `*` stands for any characters, `?` for one. Not by a regular expression: some patterns would take forever. */
export function isLike(text: string, pattern: string): boolean {
  let [at, patternAt, starAt, retryAt] = [0, 0, -1, 0];
  while (at < text.length) {
    const wanted = pattern[patternAt];
    if (wanted === '*') {
      starAt = patternAt;
      retryAt = at;
      patternAt += 1;
    } else if (wanted !== undefined && (wanted === '?' || wanted === text[at])) {
      at += 1;
      patternAt += 1;
    } else if (starAt !== -1) {
      retryAt += 1;
      at = retryAt;
      patternAt = starAt + 1;
    } else {
      return false;
    }
  }
  return /^\**$/.test(pattern.slice(patternAt));
}
