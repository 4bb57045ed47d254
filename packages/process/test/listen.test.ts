import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHttpServer } from '@bandit/http';
import { Registry } from 'prom-client';
import t, { type Test } from 'tap';
import { holdUntilStarted } from '../src/hold-until-started.ts';
import { listen } from '../src/listen.ts';

// A slow machine is not a failure.
t.setTimeout(180_000);

const hidden = { schema: { hide: true } };

async function makeServer(t: Test, isStarted = () => true) {
  const app = await createHttpServer({
    service: 'test',
    version: '0',
    logger: false,
    nowMs: () => 0,
    registry: new Registry(),
    makeRequestId: () => 'id',
  });
  t.teardown(() => app.close());
  holdUntilStarted(app, isStarted);
  app.get('/livez', hidden, () => ({ status: 'ok' }));
  app.get('/experiments', hidden, () => ({ status: 'served' }));
  return app;
}

async function makeFolder(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bandit-listen-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function ask(socketPath: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path: '/livez' }, (answer) => {
      answer.resume();
      resolve(answer.statusCode as number);
    });
    asked.on('error', reject).end();
  });
}

t.test('it listens on the port or on the socket', async (t) => {
  const onPort = await listen(await makeServer(t), { host: '127.0.0.1', port: 0, listenSocket: undefined });
  t.match(onPort, { url: /^http:\/\/127\.0\.0\.1:\d+$/ });
  const socket = join(await makeFolder(t), 'a.sock');
  t.strictSame(await listen(await makeServer(t), { host: '', port: 0, listenSocket: socket }), { socket });
  t.equal(await ask(socket), 200);
  await t.rejects(
    listen(await makeServer(t), { host: '', port: 0, listenSocket: socket }),
    { code: 'EADDRINUSE' },
    'a live one is not pushed away',
  );
  t.equal(await ask(socket), 200);
});

t.test('the socket of a process that was killed is taken over', async (t) => {
  const socket = join(await makeFolder(t), 'a.sock');
  const code = `require('net').createServer().listen(${JSON.stringify(socket)}, () => console.log('up'))`;
  const other = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(other.stdout, 'data');
  other.kill('SIGKILL');
  await once(other, 'exit');
  t.ok(existsSync(socket), 'it left its file');
  await listen(await makeServer(t), { host: '', port: 0, listenSocket: socket });
  t.equal(await ask(socket), 200);
});

t.test('a file that is no socket is left alone', async (t) => {
  const path = join(await makeFolder(t), 'precious');
  await writeFile(path, 'kept');
  await t.rejects(listen(await makeServer(t), { host: '', port: 0, listenSocket: path }), {
    code: 'EADDRINUSE',
  });
  t.equal(await readFile(path, 'utf8'), 'kept');
});

t.test('until it has started, only what tells of the process answers', async (t) => {
  let isStarted = false;
  const app = await makeServer(t, () => isStarted);
  t.equal((await app.inject('/livez')).statusCode, 200);
  const refused = await app.inject('/experiments');
  t.equal(refused.statusCode, 503);
  t.equal(refused.json().code, 'STORE_UNAVAILABLE');
  t.ok(refused.headers['retry-after']);
  isStarted = true;
  t.equal((await app.inject('/experiments')).statusCode, 200);
  isStarted = false;
  t.equal((await app.inject('/experiments')).statusCode, 200, 'what is held stays held');
});
