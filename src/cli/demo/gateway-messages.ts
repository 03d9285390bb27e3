/** What the demo and its gateway's process say to each other. The end of the channel tells the gateway to stop. */

export type FromGateway =
  | {
      readonly type: 'listening';
      readonly endpoint: string;
      readonly authorityFile: string;
      readonly accessKeyId: string;
      readonly secretAccessKey: string;
    }
  | { readonly type: 'failed'; readonly message: string };

/** How long requests under way may take to finish when the gateway is stopped. */
export const stopGraceMs = 5_000;
