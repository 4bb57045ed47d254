import { forEachStore } from '@bandit/db/testing';
import { sql } from 'kysely';
import t from 'tap';
import {
  checkDatabase,
  DatabaseNotReadyError,
  waitForDatabase,
} from '../../src/database/wait-for-database.ts';

// A slow machine is not a failure.
t.setTimeout(180_000);

function makeLog() {
  const lines: string[] = [];
  const note = (details: object, message: string) =>
    void lines.push(`${message} ${(details as { reason?: string }).reason ?? ''}`.trim());
  return { lines, log: { info: note, warn: note } };
}

const away = () => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

t.test('it tries until the database is ready and says once what it waits for', async (t) => {
  const { lines, log } = makeLog();
  const obstacles = [away(), away(), new DatabaseNotReadyError('the schema lacks 0002'), undefined];
  let nTries = 0;
  const attempt = async () => {
    const obstacle = obstacles[nTries++];
    if (obstacle !== undefined) throw obstacle;
  };
  await waitForDatabase({ attempt, log, signal: new AbortController().signal });
  t.equal(nTries, 4);
  t.strictSame(lines, [
    'not ready: waiting for the database Postgres does not answer (connect ECONNREFUSED)',
    'not ready: waiting for the database the schema lacks 0002',
    'the database is ready',
  ]);
});

t.test('a migration that lost its connection is tried again', async (t) => {
  const { lines, log } = makeLog();
  const cause = new Error('Connection terminated unexpectedly');
  const obstacles = [new Error('migrating the database failed: it was lost', { cause }), undefined];
  const attempt = async () => {
    const obstacle = obstacles.shift();
    if (obstacle !== undefined) throw obstacle;
  };
  await waitForDatabase({ attempt, log, signal: new AbortController().signal });
  t.match(lines[0], 'migrating the database failed: it was lost');
});

t.test('what waiting does not mend is thrown', async (t) => {
  const { log } = makeLog();
  const attempt = () => Promise.reject(Object.assign(new Error('password'), { code: '28P01' }));
  await t.rejects(waitForDatabase({ attempt, log, signal: new AbortController().signal }), { code: '28P01' });
});

t.test('a process that is told to stop waits no longer', async (t) => {
  const { log } = makeLog();
  const stopping = new AbortController();
  const attempt = async () => {
    stopping.abort();
    throw away();
  };
  await t.rejects(waitForDatabase({ attempt, log, signal: stopping.signal }), { name: 'AbortError' });
});

t.test('a schema that lacks a migration is named, a newer one is fine', async (t) => {
  await forEachStore(t, async (t, { db, open }) => {
    await checkDatabase(db);
    // The role with the fewest rights may look as well.
    await checkDatabase(open({ role: 'bandit_accept' }));
    await sql`insert into kysely_migration (name, timestamp) values ('9999-from-tomorrow', '')`.execute(db);
    await checkDatabase(db);
    await sql`delete from kysely_migration where name like '0007%'`.execute(db);
    await t.rejects(checkDatabase(db), { name: 'DatabaseNotReadyError', message: /lacks 0007-.*"migrate"/ });
    await sql`drop table kysely_migration`.execute(db);
    await t.rejects(checkDatabase(db), { message: /lacks 0001-tenants and \d+ more/ });
  });
});
