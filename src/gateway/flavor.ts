/**
 * Where Ceph's RGW (16.2 and 18.2) and AWS differ, each difference by its name. Everything else is the same for both, or the
 * gateway does not have it: versions of objects, quotas, access lists. The gateway accepts every placement of a bucket
 * (LocationConstraint) and returns it; RGW has to know the placement and returns its zone group.
 */

export interface Flavor {
  readonly name: FlavorName;
  /** CopyObject from or to an encrypted object; otherwise NotImplemented from one, and a plain copy to one. */
  readonly copiesEncryptedObjects: boolean;
  /** GET and HEAD of a plain object with a customer key is InvalidRequest; otherwise the key is ignored. */
  readonly refusesUnneededCustomerKey: boolean;
  /** The ETag of an encrypted object says nothing about its content; otherwise it is the MD5, as for plain ones. */
  readonly hasOpaqueEtags: boolean;
  /** On completions, deletions, copies and their sources; otherwise the conditions are ignored. */
  readonly honoursLateConditions: boolean;
  /** If-Match of a PUT is compared as HTTP says; otherwise the header has to be the ETag without quotes. */
  readonly unquotesIfMatchOfPuts: boolean;
  /** A completion may leave out parts; otherwise it has to list all that were uploaded. */
  readonly completesSomeParts: boolean;
  /** A completion that lists its parts in another order than theirs is InvalidPartOrder; otherwise the order is ignored. */
  readonly wantsPartsInOrder: boolean;
  /** Bodies in signed chunks with a trailer, or of unknown length; otherwise MissingContentLength. */
  readonly takesTrailers: boolean;
  /** x-amz-checksum-* are compared; otherwise they are ignored. */
  readonly verifiesChecksums: boolean;
  /** Signatures of version 2; otherwise InvalidRequest. */
  readonly acceptsSignatureV2: boolean;
  /** The reply to a completion names the ETag; otherwise it leaves it empty. */
  readonly namesEtagOfCompletion: boolean;
  /** The replies to copies have ETags with quotes, and say how a copied part is encrypted; otherwise neither. */
  readonly describesCopies: boolean;
  /** The key of the source of a copied part is decoded a second time, and may name a version before that; otherwise once. */
  readonly decodesPartSourcesTwice: boolean;
  /** Aborting an upload that does not exist is NoSuchUpload; otherwise no error. */
  readonly refusesUnknownAborts: boolean;
  /** Making one's own bucket again changes nothing; otherwise BucketAlreadyOwnedByYou. */
  readonly recreatesBuckets: boolean;
  /** Policies see the SSE-C headers of every request that writes; otherwise one header, and of PUTs only. */
  readonly showsPoliciesCustomerKeys: boolean;
  /** In policies, a negated operator holds for what is missing; otherwise it does not. */
  readonly negatesMissingValues: boolean;
  /** The server-side encryption headers without a customer key are refused; otherwise AES256 is ignored. */
  readonly refusesOtherEncryption: boolean;
  /** Listings tell times in milliseconds; otherwise in whole seconds, as HEAD does. */
  readonly listsMilliseconds: boolean;
  /** An upload's object gets the tags that it began with; otherwise they are forgotten. */
  readonly keepsTagsOfUploads: boolean;
  readonly storageClasses: readonly string[];
  /** Replies name the storage class even if it is the usual one. */
  readonly showsStandardClass: boolean;
  readonly unknownStorageClass: 'InvalidArgument' | 'InvalidStorageClass';
  readonly maxMetadataBytes: number;
  readonly tooLongKey: 'InvalidObjectName' | 'KeyTooLongError';
  readonly senselessPolicy: 'InvalidArgument' | 'MalformedPolicy';
  /** The error for encryption under keys that the server would hold. */
  readonly unknownEncryption: 'InvalidArgument' | 'NotImplemented';
}

export const flavorNames = ['rgw', 'ceph18', 'aws'] as const;
export type FlavorName = (typeof flavorNames)[number];

const rgw: Flavor = {
  name: 'rgw',
  copiesEncryptedObjects: false,
  refusesUnneededCustomerKey: false,
  hasOpaqueEtags: false,
  honoursLateConditions: false,
  unquotesIfMatchOfPuts: false,
  completesSomeParts: false,
  wantsPartsInOrder: false,
  takesTrailers: false,
  verifiesChecksums: false,
  acceptsSignatureV2: true,
  namesEtagOfCompletion: false,
  describesCopies: false,
  decodesPartSourcesTwice: true,
  refusesUnknownAborts: false,
  recreatesBuckets: true,
  showsPoliciesCustomerKeys: false,
  negatesMissingValues: false,
  refusesOtherEncryption: false,
  listsMilliseconds: true,
  keepsTagsOfUploads: false,
  storageClasses: ['STANDARD'],
  showsStandardClass: true,
  unknownStorageClass: 'InvalidArgument',
  maxMetadataBytes: 15_000, // RGW limits only all headers together; 15,000 bytes are known to work
  tooLongKey: 'InvalidObjectName',
  senselessPolicy: 'InvalidArgument',
  unknownEncryption: 'InvalidArgument',
};

export const flavors: Readonly<Record<FlavorName, Flavor>> = {
  rgw,
  // So no policy can demand encryption: a policy sees only one header of a PUT, and that is refused beside a customer key.
  ceph18: { ...rgw, name: 'ceph18', refusesOtherEncryption: true },
  aws: {
    name: 'aws',
    copiesEncryptedObjects: true,
    refusesUnneededCustomerKey: true,
    hasOpaqueEtags: true,
    honoursLateConditions: true,
    unquotesIfMatchOfPuts: true,
    completesSomeParts: true,
    wantsPartsInOrder: true,
    takesTrailers: true,
    verifiesChecksums: true,
    acceptsSignatureV2: false,
    namesEtagOfCompletion: true,
    describesCopies: true,
    decodesPartSourcesTwice: false,
    refusesUnknownAborts: true,
    recreatesBuckets: false,
    showsPoliciesCustomerKeys: true,
    negatesMissingValues: true,
    refusesOtherEncryption: true,
    listsMilliseconds: false,
    keepsTagsOfUploads: true,
    storageClasses: ['STANDARD', 'STANDARD_IA', 'ONEZONE_IA', 'INTELLIGENT_TIERING', 'REDUCED_REDUNDANCY'],
    showsStandardClass: false,
    unknownStorageClass: 'InvalidStorageClass',
    maxMetadataBytes: 2048,
    tooLongKey: 'KeyTooLongError',
    senselessPolicy: 'MalformedPolicy',
    unknownEncryption: 'NotImplemented',
  },
};
