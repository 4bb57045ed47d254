import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import type { AssignmentFields } from '@bandit/contracts';
import fc from 'fast-check';
import t from 'tap';
import { createAssignmentIdCodec, unwrapMacKey, wrapMacKey } from '../../src/index.ts';

const key = { id: 'k1', key: new Uint8Array(32).fill(7) };
const newer = { id: 'k2', key: new Uint8Array(32).fill(8) };
const codec = createAssignmentIdCodec([key]);

const fields: AssignmentFields = {
  companyId: 'cmp_AAAAAAAAAAAAAAAAAAAAAA',
  experimentId: 'exp_AQEBAQEBAQEBAQEBAQEBAQ',
  treatmentId: 'trt_AgICAgICAgICAgICAgICAg',
  userId: 'user_42',
  nonce: Buffer.alloc(16, 3),
  assignedAtMs: 1_768_471_200_123,
  expiresAtMs: 1_768_557_600_123,
  propensity: 0.1 + 0.2,
  confidence: 1 / 3,
  stateVersion: 17,
  macKeyId: 'k1',
};

t.test('an id says all its fields, exactly', async (t) => {
  const id = codec.sign(fields);
  t.match(id, /^asgn_[A-Za-z0-9_-]+$/);
  t.strictSame(codec.verify(id), fields);
  t.equal(codec.sign(fields), id, 'the same fields give the same id');
  const selfReported = { ...fields, propensity: undefined };
  t.strictSame(codec.verify(codec.sign(selfReported)), selfReported);
});

t.test('any fields survive the round trip', async () => {
  const id = (prefix: string) =>
    fc.oneof(
      fc
        .uint8Array({ minLength: 16, maxLength: 16 })
        .map((raw) => `${prefix}_${Buffer.from(raw).toString('base64url')}`),
      fc.string({ minLength: 1, maxLength: 40 }).map((rest) => `${prefix}_${rest}`),
      // Not canonical: the last character carries bits that 16 bytes do not have.
      fc.constant(`${prefix}_AAAAAAAAAAAAAAAAAAAAAB`),
    );
  const arbitrary = fc.record(
    {
      companyId: id('cmp'),
      experimentId: id('exp'),
      treatmentId: id('trt'),
      userId: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 100 }),
      nonce: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((raw) => Buffer.from(raw)),
      assignedAtMs: fc.integer({ min: 0, max: 2 ** 45 }),
      expiresAtMs: fc.integer({ min: 0, max: 2 ** 45 }),
      propensity: fc.option(fc.double({ min: 1e-12, max: 1, noNaN: true }), { nil: undefined }),
      confidence: fc.double({ min: 0, max: 1, noNaN: true }),
      stateVersion: fc.integer({ min: 0, max: 2 ** 40 }),
      macKeyId: fc.constant('k1'),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(arbitrary, (some) => {
      const read = codec.verify(codec.sign(some));
      t.strictSame(read, some);
    }),
    { seed: 11, numRuns: 300 },
  );
});

t.test('no changed, cut or respelled id verifies', async (t) => {
  const id = codec.sign(fields);
  for (let i = 5; i < id.length; i += 1) {
    const changed = id.slice(0, i) + (id[i] === 'A' ? 'B' : 'A') + id.slice(i + 1);
    if (codec.verify(changed) !== undefined) t.fail(`position ${i} can be changed`);
  }
  for (let length = 0; length < id.length; length += 1) {
    if (codec.verify(id.slice(0, length)) !== undefined) t.fail(`cut to ${length} it verifies`);
  }
  for (const other of [
    `${id}=`,
    `${id}\n`,
    ` ${id}`,
    id.replaceAll('-', '+').replaceAll('_', '/'),
    `${id}A`,
    '',
    'asgn_',
  ]) {
    if (other !== id) t.equal(codec.verify(other), undefined, JSON.stringify(other.slice(-8)));
  }
});

t.test('no text makes verify throw', async () => {
  fc.assert(
    fc.property(fc.base64String({ maxLength: 400 }), (text) => codec.verify(`asgn_${text}`) === undefined),
    { seed: 13, numRuns: 3_000 },
  );
});

t.test('the newest key signs, older ones still verify, unknown ones do not', async (t) => {
  const rotated = createAssignmentIdCodec([newer, key]);
  t.equal(rotated.currentKeyId, 'k2');
  t.ok(rotated.verify(codec.sign(fields)), 'signed with the older key');
  t.equal(
    codec.verify(rotated.sign({ ...fields, macKeyId: 'k2' })),
    undefined,
    'signed with a key that is not here',
  );
  t.throws(() => codec.sign({ ...fields, macKeyId: 'k9' }), /k9/);
  t.throws(() => createAssignmentIdCodec([]), /at least one/);
});

t.test('a key is unwrapped with its own secret and id only', async (t) => {
  const secret = 'a secret that wraps, 32 characters or more';
  const wrapped = wrapMacKey(key, secret, randomBytes);
  t.strictSame(Buffer.from(unwrapMacKey('k1', wrapped, secret).key), Buffer.from(key.key));
  t.throws(() => unwrapMacKey('k1', wrapped, `${secret}!`), /ASSIGNMENT_SECRET/);
  t.throws(() => unwrapMacKey('k2', wrapped, secret), /ASSIGNMENT_SECRET/);
  t.throws(() => unwrapMacKey('k1', wrapped.slice(0, 20), secret), /ASSIGNMENT_SECRET/);
});

t.test('a subject is hashed under the oldest key, whichever signs', async (t) => {
  const oldest = { id: 'a', key: Buffer.alloc(32, 5) };
  const newer = { id: 'b', key: Buffer.alloc(32, 6) };
  const derived = new Uint8Array(hkdfSync('sha256', oldest.key, '', 'bandit erased subjects v1', 32));
  const expected = createHmac('sha256', derived).update('cmp_1\0ada@example.com').digest('hex');
  const hashes = [
    createAssignmentIdCodec([oldest]),
    createAssignmentIdCodec([newer, oldest]),
    createAssignmentIdCodec([oldest, newer], oldest),
  ].map(({ hashSubject }) => Buffer.from(hashSubject('cmp_1', 'ada@example.com')).toString('hex'));
  t.strictSame(hashes, [expected, expected, expected]);
  const { hashSubject } = createAssignmentIdCodec([oldest]);
  t.notSame(hashSubject('cmp_1', 'u'), hashSubject('cmp_2', 'u'));
  t.equal(hashSubject('cmp_1', '\u{1f600}'.repeat(128)).length, 32);
});
