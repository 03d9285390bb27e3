/** `osirisfs policy`: sets, shows and removes the force-encryption policy of a bucket. */
import { parseBucket } from '../../settings/config.js';
import { StoreError } from '../../errors.js';
import { silentLog } from '../../log.js';
import { enforcePolicy, PolicyFailure } from '../../policy/enforce-policy.js';
import { formOf, policyForms, withoutStatement } from '../../policy/force-encryption.js';
import { BucketAdministration } from '../../s3/bucket-administration.js';
import { connect } from '../../s3/connect.js';
import { readConnectionSettings } from '../bucket-options.js';
import { CommandError, UsageError } from '../command-errors.js';
import { positionalOf, type ParsedArguments } from '../command-line.js';
import { withStopSignal } from '../stop-signal.js';
import { announce, announceText, complain } from '../terminal.js';

const maxSockets = 4;
const policyActions = ['enforce', 'show', 'remove'] as const;

/** Resolves with the exit code; `show` ends with 1 if there is no such policy. */
export async function runPolicy(parsed: ParsedArguments): Promise<number> {
  const { bucket, prefix } = parseBucket(positionalOf(parsed, 'bucket'));
  if (prefix !== '') throw new UsageError('a policy is for a whole bucket: give BUCKET without a prefix');
  const action = policyActions.find((name) => name === parsed['action']);
  if (action === undefined)
    throw new UsageError(`${JSON.stringify(parsed['action'])} is not enforce, show or remove`);
  const settings = await readConnectionSettings(parsed, { withKeyFile: false });
  return await withStopSignal((signal) => runAction({ action, bucket, settings }, signal));
}

interface PolicyWork {
  readonly action: (typeof policyActions)[number];
  readonly bucket: string;
  readonly settings: Awaited<ReturnType<typeof readConnectionSettings>>;
}

async function runAction({ action, bucket, settings }: PolicyWork, signal: AbortSignal): Promise<number> {
  const connection = await connect({ ...settings, maxSockets, log: silentLog });
  try {
    const administration = new BucketAdministration({ access: connection, bucket, log: silentLog });
    switch (action) {
      case 'enforce':
        return await enforce(administration, signal);
      case 'show':
        return await show(administration, signal);
      case 'remove':
        return await remove(administration, signal);
    }
  } catch (error) {
    throw explain(error, bucket);
  } finally {
    connection.close();
  }
}

async function enforce(administration: BucketAdministration, signal: AbortSignal): Promise<number> {
  const { form, allowsMultipart } = await enforcePolicy(administration, signal);
  announce(
    `${administration.bucket}: a plain PUT is denied, an SSE-C PUT passes (both tried); the policy denies requests without ${policyForms[form].conditionName}`,
  );
  if (form === 'encryption-header') {
    announce(
      'This server knows only this form: programs must also send x-amz-server-side-encryption: AES256 (osirisfs mounts do), and one that sends it without a customer key is not stopped.',
    );
  }
  if (!allowsMultipart) {
    announce(
      'This server denies multipart uploads under it: osirisfs then stores each file by one PUT, of at most 5 GiB; other programs must do so too.',
    );
  }
  return 0;
}

async function show(administration: BucketAdministration, signal: AbortSignal): Promise<number> {
  const policy = await administration.getPolicy(signal);
  if (policy !== undefined) announceText(JSON.stringify(JSON.parse(policy), undefined, 2));
  const form = formOf(policy);
  complain(
    form === undefined
      ? `${administration.bucket} has no force-encryption policy of osirisfs${policy === undefined ? ', and no other' : ''}`
      : `${administration.bucket} denies PUTs without ${policyForms[form].conditionName}`,
  );
  return form === undefined ? 1 : 0;
}

async function remove(administration: BucketAdministration, signal: AbortSignal): Promise<number> {
  const policy = await administration.getPolicy(signal);
  if (policy === undefined || formOf(policy) === undefined) {
    complain(`${administration.bucket} has no force-encryption policy of osirisfs`);
    return 1;
  }
  const rest = withoutStatement(policy);
  await administration.setPolicy(rest, signal);
  announce(
    `${administration.bucket}: removed${rest === undefined ? '' : '; the other statements of its policy are kept'}`,
  );
  return 0;
}

function explain(error: unknown, bucket: string): unknown {
  if (error instanceof PolicyFailure) {
    const { message, lost } = error;
    return new CommandError(
      lost === undefined ? `${bucket}: ${message}` : `${bucket}: ${message}. It was: ${lost}`,
      {
        cause: error,
      },
    );
  }
  if (error instanceof StoreError && error.code === 'AccessDenied') {
    return new CommandError(`${error.message}; only the owner of ${bucket} may do this`, { cause: error });
  }
  if (error instanceof SyntaxError) {
    return new CommandError(`the policy of ${bucket} is not understood: ${error.message}`, { cause: error });
  }
  return error;
}
