import { failureEnvelopeSchema } from '@bandit/contracts';
import { Type } from '@sinclair/typebox';
import t from 'tap';
import { addItemRoutes, openServer } from './test-server.ts';

t.test('the document is OpenAPI 3.1 with an operationId on each route and each shape once', async (t) => {
  const app = await openServer();
  t.teardown(() => app.close());
  addItemRoutes(app);
  const thing = Type.Object({ id: Type.String() }, { $id: 'Thing', title: 'Thing' });
  for (const operationId of ['listThings', 'listMoreThings']) {
    app.get(
      `/${operationId}`,
      {
        schema: {
          operationId,
          response: {
            200: Type.Object({ things: Type.Array(thing), first: thing }, { description: 'All things' }),
            404: failureEnvelopeSchema,
          },
        },
      },
      () => ({ things: [{ id: 'a' }], first: { id: 'a' } }),
    );
  }
  t.strictSame((await app.inject('/listThings')).json(), { things: [{ id: 'a' }], first: { id: 'a' } });
  const document = (await app.inject('/openapi.json')).json();
  t.equal(document.openapi, '3.1.0');
  t.equal(document.info.version, '1.2.3');
  t.strictSame(Object.keys(document.components.schemas).sort(), ['Failure', 'Thing']);
  const answer = document.paths['/listThings'].get.responses;
  t.strictSame(answer['200'].content['application/json'].schema.properties.first, {
    $ref: '#/components/schemas/Thing',
  });
  t.strictSame(answer['404'].content['application/json'].schema, { $ref: '#/components/schemas/Failure' });
  t.equal(answer['200'].description, 'All things');
  t.equal(answer['404'].description, 'Not Found', 'an answer without words has the name of its status');
  t.notMatch(JSON.stringify(document), /"\$id"/);
  t.equal(document.paths['/items'].post.operationId, 'createItem');
  t.notOk(
    Object.keys(document.paths).some((path) => /docs|openapi/.test(path)),
    'the document leaves itself out',
  );
});

t.test("a route's security is what its guard says, unless its schema says more", async (t) => {
  const app = await openServer();
  t.teardown(() => app.close());
  const guard = Object.assign(async () => undefined, { security: [{ apiKey: [] }] });
  const plain = async (): Promise<undefined> => undefined;
  app.get('/a', { onRequest: guard, schema: { operationId: 'a' } }, () => ({}));
  app.get('/b', { onRequest: [plain, guard], schema: { operationId: 'b' } }, () => ({}));
  app.get('/c', { onRequest: guard, schema: { operationId: 'c', security: [{ bearer: [] }] } }, () => ({}));
  app.get('/d', { onRequest: plain, schema: { operationId: 'd' } }, () => ({}));
  const { paths } = (await app.inject('/openapi.json')).json();
  t.strictSame(paths['/a'].get.security, [{ apiKey: [] }]);
  t.strictSame(paths['/b'].get.security, [{ apiKey: [] }]);
  t.strictSame(paths['/c'].get.security, [{ bearer: [] }]);
  t.notOk('security' in paths['/d'].get);
});

t.test('a route without an operationId is refused', async (t) => {
  const app = await openServer();
  t.teardown(() => app.close());
  t.throws(() => app.get('/x', () => ({})), /GET \/x has no operationId/);
});

t.test('the reference page brings its own bundle and asks no other server', async (t) => {
  const app = await openServer();
  t.teardown(() => app.close());
  const page = await app.inject('/docs/');
  t.equal(page.statusCode, 200);
  t.match(page.headers['content-type'], /text\/html/);
  t.match(page.headers['content-security-policy'], /connect-src 'self'/);
  t.notMatch(page.body, /https?:\/\//);
  const script = /<script src="([^"]+)"/.exec(page.body)?.[1] ?? '';
  const bundle = await app.inject(new URL(script, 'http://localhost/docs/').pathname);
  t.equal(bundle.statusCode, 200);
  t.ok(bundle.body.length > 100_000);
});
