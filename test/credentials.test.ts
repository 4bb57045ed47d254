/** Every route of the embedded platform, with credentials in every state that they can be in; and the API document. */
import { readFile, writeFile } from 'node:fs/promises';
import t from 'tap';
import { createCaller } from './credentials/caller.ts';
import { checkCredentials, checkForeignKey } from './credentials/check-credentials.ts';
import { demands } from './credentials/expected-answers.ts';
import { credentialsEnv } from './credentials/make-state.ts';
import { startKind } from './platform/kinds.ts';

// A slow machine is not a failure.
t.setTimeout(300_000);

const platform = await startKind(t, 'embedded', { env: credentialsEnv });
const ask = createCaller(platform.url);
t.teardown(() => ask.close());

t.test('every route in every state of the credentials', (t) => checkCredentials(t, ask, platform, 'direct'));

t.test("another company's key reaches nothing of this one", (t) => checkForeignKey(t, ask, platform));

t.test('the API document says which credentials each route takes', async (t) => {
  const schemes = {
    assign: 'apiKey bearer',
    events: 'apiKey bearer',
    session: 'session bearer',
    admin: 'session bearer',
  };
  const expected: Record<string, string> = {
    ...schemes,
    'session or events': 'apiKey bearer session',
    platform: 'bearer',
  };
  const { paths } = (await ask('GET', '/openapi.json', {})).body;
  for (const methods of Object.values<Record<string, { operationId: string; security?: object[] }>>(paths)) {
    for (const { operationId, security = [] } of Object.values(methods)) {
      const names = security.flatMap((requirement) => Object.keys(requirement)).join(' ');
      t.equal(names, expected[demands[operationId] ?? ''], operationId);
    }
  }
});

t.test('docs/openapi.json is what the platform serves (UPDATE_DOCS=1 writes it)', async (t) => {
  const path = new URL('../docs/openapi.json', import.meta.url);
  const served = (await ask('GET', '/openapi.json', {})).body;
  if (process.env.UPDATE_DOCS === '1') await writeFile(path, `${JSON.stringify(served, null, 2)}\n`);
  const committed = JSON.parse(await readFile(path, 'utf8'));
  for (const part of ['paths', 'components']) {
    for (const name of new Set([...Object.keys(served[part]), ...Object.keys(committed[part])])) {
      t.strictSame(committed[part][name], served[part][name], `${part}: ${name}`);
    }
  }
});
