import t from 'tap';
import {
  isConnectionBroken,
  isDataError,
  isOutcomeUnknown,
  isStoreUnavailable,
  isUniqueViolation,
  OutcomeUnknownError,
  sqlStateOf,
  toAnswerable,
} from '../src/index.ts';

const coded = (code: string) => Object.assign(new Error(code), { code });

// [error, store unavailable, outcome unknown, connection broken]
const table: [unknown, boolean, boolean, boolean][] = [
  [undefined, false, false, false],
  [null, false, false, false],
  [new Error('boom'), false, false, false],
  [coded('42601'), false, false, false],
  [coded('23505'), false, false, false],
  [coded('22P02'), false, false, false],
  [coded('XX000'), false, false, false],
  // Before anything was sent.
  [coded('ECONNREFUSED'), true, false, true],
  [coded('ENOENT'), true, false, true],
  [new AggregateError([coded('ECONNREFUSED'), coded('ECONNREFUSED')]), true, false, true],
  [new Error('timeout exceeded when trying to connect'), true, false, true],
  [coded('57P03'), true, false, true],
  [coded('53300'), true, false, false],
  // Maybe after the commit.
  [coded('ECONNRESET'), true, true, true],
  [coded('EPIPE'), true, true, true],
  [new Error('Connection terminated unexpectedly'), true, true, true],
  [new Error('Query read timeout'), true, true, true],
  [coded('57P01'), true, true, true],
  [coded('08006'), true, true, true],
  [new OutcomeUnknownError(new Error('x')), true, true, true],
  // The server rolled back and said so.
  [coded('57014'), true, false, false],
  [coded('40001'), true, false, false],
  [coded('40P01'), true, false, false],
  [coded('25006'), true, false, false],
  [coded('25P03'), true, false, true],
];

t.test('each error is told apart by what the caller may do next', async (t) => {
  for (const [error, isUnavailable, isUnknown, isBroken] of table) {
    const name = `${error}`;
    t.equal(isStoreUnavailable(error), isUnavailable, `${name}: unavailable`);
    t.equal(isOutcomeUnknown(error), isUnknown, `${name}: unknown`);
    t.equal(isConnectionBroken(error), isBroken, `${name}: broken`);
  }
});

t.test('a unique violation may be asked for by its constraint', async (t) => {
  const error = Object.assign(coded('23505'), { constraint: 'members_email_key' });
  t.ok(isUniqueViolation(error));
  t.ok(isUniqueViolation(error, 'members_email_key'));
  t.notOk(isUniqueViolation(error, 'other_key'));
  t.notOk(isUniqueViolation(coded('23503')));
  t.ok(isDataError(error));
  t.equal(sqlStateOf(coded('EPIPE')), undefined, 'five letters of the system are no SQLSTATE');
});

t.test("a reset of the store's connection is its absence, one of the client's own is not", async (t) => {
  const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
  t.match(toAnswerable(reset), { code: 'STORE_UNAVAILABLE', cause: reset });
  const ofClient = Object.assign(new Error('aborted'), { code: 'ECONNRESET', statusCode: 400 });
  t.equal(toAnswerable(ofClient), ofClient);
});
