import test from 'ava';
import { checksumNames, makeChecksum, type ChecksumName } from '../../../src/gateway/signatures/checksums.js';

/** Of the nine characters `123456789`, as the catalogues of CRCs give them (`check`), and as sha1sum and sha256sum do. */
const known: Readonly<Record<ChecksumName, string>> = {
  crc32: 'cbf43926',
  crc32c: 'e3069283',
  crc64nvme: 'ae8b14860a799888',
  sha1: 'f7c3bc1d808e04732adf679965ccc34ca7ae3441',
  sha256: '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225',
};

test('every checksum has its known value, in one piece and in several', (t) => {
  for (const name of checksumNames) {
    const [whole, inPieces] = [makeChecksum(name), makeChecksum(name)];
    whole.update(Buffer.from('123456789'));
    for (const piece of ['1234', '', '56789']) inPieces.update(Buffer.from(piece));
    t.is(Buffer.from(whole.digest(), 'base64').toString('hex'), known[name], name);
    t.is(Buffer.from(inPieces.digest(), 'base64').toString('hex'), known[name], name);
  }
});
