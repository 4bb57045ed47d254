import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { sql } from 'kysely';
import t from 'tap';
import { encodeQuery, encodeStartup } from '../../src/embedded/wire-protocol.ts';
import { isStoreUnavailable, openDatabase } from '../../src/index.ts';
import { listCompanies, quiet, start, withFolder } from './start.ts';

t.setTimeout(120_000);

t.test('one process twice is refused too, and closing in order frees the folder', async (t) => {
  const dataDir = join(t.testdir(), 'data');
  const first = await start(dataDir);
  t.equal(statSync(dataDir).mode & 0o777, 0o700, 'only this user may enter the folder');
  await t.rejects(start(dataDir), { name: 'DataFolderInUseError' });
  await first.close();
  await first.close();
  t.notOk(existsSync(join(dataDir, 'lock.json')));
  const second = await start(dataDir);
  await second.close();
});

t.test('a first start that was killed half way begins again', async (t) => {
  const dataDir = join(t.testdir(), 'data');
  mkdirSync(join(dataDir, 'pgdata.new'), { recursive: true });
  writeFileSync(join(dataDir, 'pgdata.new', 'PG_VERSION'), '18\n');
  t.strictSame(await withFolder(dataDir, listCompanies), []);
  t.strictSame(
    readdirSync(dataDir).filter((name) => name.startsWith('pgdata')),
    ['pgdata'],
  );
});

t.test('a folder whose path is too long for a socket gets its socket elsewhere', async (t) => {
  const dataDir = join(t.testdir(), 'd'.repeat(120));
  const embedded = await start(dataDir);
  t.not(embedded.socketDir, dataDir);
  t.equal(statSync(embedded.socketDir).mode & 0o777, 0o700);
  const { db, close } = openDatabase({ socketDir: embedded.socketDir, log: quiet });
  t.strictSame(await listCompanies(db), []);
  await close();
  await embedded.close();
  t.notOk(existsSync(embedded.socketDir), 'it is removed at close');
});

t.test('when the server dies, its process is told and nobody waits', async (t) => {
  const exited = Promise.withResolvers<Error>();
  const embedded = await start(join(t.testdir(), 'data'), { onExit: exited.resolve });
  const { db, close } = openDatabase({ socketDir: embedded.socketDir, log: quiet });
  t.teardown(close);
  // 100,000 levels overrun the stack of the server; the API takes 16 (limits.jsonDepthMax).
  const fatal = sql`select repeat('[', 100000)::jsonb`.execute(db);
  const behind = sql`select 1`.execute(db);
  const outcomes = await Promise.allSettled([fatal, behind]);
  for (const outcome of outcomes) {
    t.equal(outcome.status, 'rejected');
    t.ok(outcome.status === 'rejected' && isStoreUnavailable(outcome.reason));
  }
  t.match((await exited.promise).message, /the embedded database: /);
  const later = await sql`select 1`.execute(db).catch((error: unknown) => error);
  t.ok(isStoreUnavailable(later));
});

t.test('connections share one session and never see each other', async (t) => {
  const embedded = await start(join(t.testdir(), 'data'));
  const { db, close } = openDatabase({ socketDir: embedded.socketDir, log: quiet, max: 8 });
  t.teardown(() => embedded.close());
  t.teardown(close);

  t.test('each statement gets its own answer, whatever its length or fate', async (t) => {
    const long = 'x'.repeat(200_000);
    const kinds = [sql`select length`, sql`select 2 as other, length`, sql`select 1 / 0 + length`];
    const results = await Promise.allSettled(
      Array.from({ length: 240 }, (_, i) =>
        sql<{ i: number }>`${kinds[i % 3]}(${i % 2 === 0 ? long : 'short'}), ${i}::int as i`.execute(db),
      ),
    );
    results.forEach((result, i) => {
      if (i % 3 === 2) t.match(result, { status: 'rejected', reason: { code: '22012' } });
      else t.equal(result.status === 'fulfilled' && result.value.rows[0]?.i, i);
    });
  });

  t.test('a read-modify-write in a transaction is not interleaved with another', async (t) => {
    await db.insertInto('companies').values({ id: 'counter', name: '0' }).execute();
    const addOne = () =>
      db.transaction().execute(async (trx) => {
        const row = await trx
          .selectFrom('companies')
          .select('name')
          .where('id', '=', 'counter')
          .executeTakeFirst();
        await trx
          .updateTable('companies')
          .set({ name: String(Number(row?.name) + 1) })
          .where('id', '=', 'counter')
          .execute();
      });
    await Promise.all(Array.from({ length: 60 }, addOne));
    t.match(await db.selectFrom('companies').select('name').where('id', '=', 'counter').execute(), [
      { name: '60' },
    ]);
  });

  t.test('SET LOCAL and rolled back rows end with their transaction', async (t) => {
    const failed = db.transaction().execute(async (trx) => {
      await sql`set local app.company_id = 'leak'`.execute(trx);
      await trx.insertInto('companies').values({ id: 'ghost', name: 'ghost' }).execute();
      throw new Error('changed my mind');
    });
    const outside = sql<{ value: string | null; ghosts: number }>`
      select current_setting('app.company_id', true) as value,
        (select count(*) from companies where id = 'ghost') as ghosts`.execute(db);
    await t.rejects(failed, { message: 'changed my mind' });
    const { rows } = await outside;
    t.equal(rows[0]?.value ?? '', '');
    t.equal(rows[0]?.ghosts, 0);
  });

  t.test('a client that dies in its transaction is rolled back and frees the others', async (t) => {
    const socket = connect(join(embedded.socketDir, '.s.PGSQL.5432'));
    socket.write(encodeStartup('postgres', 'postgres'));
    await once(socket, 'data');
    socket.write(encodeQuery("begin; insert into companies (id, name) values ('orphan', 'orphan')"));
    await once(socket, 'data');
    // Waits for the session that the dead client owns, in a unit that the client has not finished sending either.
    const others = listCompanies(db);
    socket.write(encodeQuery('commit').subarray(0, 3));
    socket.destroy();
    t.notOk((await others).includes('orphan'));
  });

  t.test('a client that leaves while its statement opens a transaction holds nobody up', async (t) => {
    const socket = connect(join(embedded.socketDir, '.s.PGSQL.5432'));
    socket.write(encodeStartup('postgres', 'postgres'));
    await once(socket, 'data');
    socket.write(
      encodeQuery("select pg_sleep(0.05); begin; insert into companies (id, name) values ('gone', 'gone')"),
    );
    socket.end();
    t.notOk((await listCompanies(db)).includes('gone'));
    t.notOk((await listCompanies(db)).includes('gone'));
  });

  t.test('a stream that is no protocol is cut off, the others go on', async (t) => {
    const socket = connect(join(embedded.socketDir, '.s.PGSQL.5432'));
    socket.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    await once(socket, 'close');
    t.ok((await listCompanies(db)).length > 0);
  });
});
