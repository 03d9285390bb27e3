/**
 * Passes each request's AbortSignal to the SDK inside its input. `send` takes one as an option too, but builds its chain of
 * middleware anew for every request that has options: a third of what the SDK costs (0.15 of 0.4 ms of CPU per HEAD).
 */
import type { S3Client } from '@aws-sdk/client-s3';
import type { NodeHttpHandler } from '@smithy/node-http-handler';

type HttpRequest = Parameters<NodeHttpHandler['handle']>[0];

/** The field of a command's input. Serializers look at named fields only. */
export const abortSignalField = Symbol('abortSignal');

export interface AbortableInput {
  readonly [abortSignalField]: AbortSignal;
}

/** Makes the client heed `abortSignalField`; requests without it are sent as ever. Any number of calls does the same as one. */
export function makeAbortable(client: S3Client): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const signal: unknown = Reflect.get(args.input, abortSignalField);
      if (!(signal instanceof AbortSignal)) return next(args);
      // The last link of the chain: what `next` would do, but with the signal.
      const handler = client.config.requestHandler as Pick<NodeHttpHandler, 'handle'>;
      const { response } = await handler.handle(args.request as HttpRequest, { abortSignal: signal });
      return { response, output: { $metadata: {} } };
    },
    { step: 'deserialize', priority: 'low', name: 'heedAbortSignal', override: true },
  );
}
