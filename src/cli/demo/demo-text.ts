/** What the demo prints when its directory is mounted: lines to be typed as they stand. */
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { quoteWhereNeeded as quote } from '../terminal.js';
import type { DemoData } from './demo-data.js';

interface DemoTextOptions {
  readonly bucket: string;
  /** Where it is mounted. */
  readonly directory: string;
  readonly data: Pick<DemoData, 'directory' | 'gatewayDirectory' | 'keyFile' | 'mountLogFile'>;
}

export function demoText({ bucket, directory, data }: DemoTextOptions): string {
  const shown = quote(directory);
  const second = quote(`${directory}-2`);
  const key = quote(data.keyFile);
  const program = programName();
  return `
The bucket "${bucket}" of an S3 server on this machine is mounted on ${directory}.
Every object in it is stored encrypted under the customer key in ${data.keyFile}.
Try, in another terminal:

    cp -r /usr/share/common-licenses ${shown}/ # copy files in: each becomes an object
    ls -lR ${shown}                  # and look at them
    grep -rl GNU ${shown}            # any program can read them
    echo hello >> ${shown}/notes.txt # write, append, rename, delete as in any directory
    tail -f ${quote(data.mountLogFile)}

The same bucket with other programs (rclone, boto3, the AWS CLI), each of which needs the key:

    eval "$(${program} gateway ${quote(data.gatewayDirectory)} --print-env)"
    RCLONE_S3_SSE_CUSTOMER_KEY="$(cat ${key})" env -u AWS_CA_BUNDLE rclone cat ":s3,env_auth,provider=Ceph,endpoint='$AWS_ENDPOINT_URL',sse_customer_algorithm=AES256:${bucket}/notes.txt" --ca-cert "$AWS_CA_BUNDLE"
    python3 -c 'import boto3, os, sys; print(boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).get_object(Bucket="${bucket}", Key="notes.txt", SSECustomerAlgorithm="AES256", SSECustomerKey=open(sys.argv[1]).read())["Body"].read().decode())' ${key}
    aws s3 cp --sse-c AES256 --sse-c-key fileb://${key} s3://${bucket}/notes.txt -

A second mount of it, as another computer would have it (in that terminal too):

    mkdir -p ${second} && ${program} mount ${bucket} ${second} --key-file ${key}
    diff -r ${shown} ${second}
    ${program} umount ${second}

Ctrl-C here ends the demo: everything is stored, ${directory} unmounted, the server stopped. The bucket stays in
${data.directory} for the next time; delete that directory when you have seen enough.`;
}

/** The command by which the user can call this program, installed or not. */
function programName(): string {
  const directories = (process.env['PATH'] ?? '').split(':');
  const isInstalled = directories.some((directory) => isExecutable(path.join(directory || '.', 'osirisfs')));
  const [, script] = process.argv;
  return isInstalled || script === undefined ? 'osirisfs' : `node ${quote(script)}`;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
