import t from 'tap';
import { mergeDocuments } from '../gateway/merge-documents.ts';
import { mergeMetrics } from '../gateway/merge-metrics.ts';
import { echo, openGateway } from './open-gateway.ts';

t.test('metrics of several processes are one text: a metric described once, its samples together', (t) => {
  const text = [
    '# HELP a_total What "a" counts, in {braces}.',
    '# TYPE a_total counter',
    'a_total 1',
    'a_total{route="/x y",text="a\\"} 2"} 3',
    '# HELP h_seconds Time.',
    '# TYPE h_seconds histogram',
    'h_seconds_bucket{le="+Inf"} 4',
    'h_seconds_sum 0.5',
    'h_seconds_count{} 4',
    '',
  ].join('\n');
  const merged = mergeMetrics([
    { instance: 'gateway', text: '# HELP only_here x\n# TYPE only_here gauge\nonly_here NaN\n' },
    { instance: 'assignment-1', text },
    { instance: 'assignment-2', text: `${text}alone 7\nnot a sample\n# a comment\n` },
  ]);
  t.equal(
    merged,
    [
      '# HELP only_here x',
      '# TYPE only_here gauge',
      'only_here{instance="gateway"} NaN',
      '# HELP a_total What "a" counts, in {braces}.',
      '# TYPE a_total counter',
      'a_total{instance="assignment-1"} 1',
      'a_total{instance="assignment-1",route="/x y",text="a\\"} 2"} 3',
      'a_total{instance="assignment-2"} 1',
      'a_total{instance="assignment-2",route="/x y",text="a\\"} 2"} 3',
      '# HELP h_seconds Time.',
      '# TYPE h_seconds histogram',
      'h_seconds_bucket{instance="assignment-1",le="+Inf"} 4',
      'h_seconds_sum{instance="assignment-1"} 0.5',
      'h_seconds_count{instance="assignment-1"} 4',
      'h_seconds_bucket{instance="assignment-2",le="+Inf"} 4',
      'h_seconds_sum{instance="assignment-2"} 0.5',
      'h_seconds_count{instance="assignment-2"} 4',
      'alone{instance="assignment-2"} 7',
      '',
    ].join('\n'),
  );
  t.end();
});

t.test('documents of several services are one: a path may have its methods in two', (t) => {
  const merged = mergeDocuments([
    { openapi: '3.1.0', paths: { '/e': { post: 1 } }, components: { schemas: { A: { type: 'a' } } } },
    {
      openapi: '3.1.0',
      paths: { '/e': { get: 2 }, '/f': { get: 3 } },
      components: { schemas: { B: 1 }, x: {} },
    },
  ]);
  t.strictSame(merged, {
    openapi: '3.1.0',
    paths: { '/e': { post: 1, get: 2 }, '/f': { get: 3 } },
    components: { schemas: { A: { type: 'a' }, B: 1 }, x: {} },
  });
  t.end();
});

t.test('the gateway is ready when every service is, and says who is what', async (t) => {
  const gateway = await openGateway(t);
  const ask = async (): Promise<{ status: number; body: unknown }> => {
    const answer = await fetch(`${gateway.url}/readyz`);
    return { status: answer.status, body: await answer.json() };
  };
  const answerMetrics = await gateway.standIn('assignment-1', 'assignment', (_request, response) =>
    response.end('# TYPE up gauge\nup 1\n'),
  );
  await gateway.standIn('ingest-1', 'ingest', echo);
  await gateway.standIn('management-1', 'management', echo);
  t.match(await ask(), {
    status: 503,
    body: { status: 'not ready', checks: { learner: false, ingest: true } },
  });
  gateway.absent('learner-1', 'learner');
  t.match(await ask(), { status: 200, body: { status: 'ready' } });
  answerMetrics.instance.state = 'busy';
  t.match(await ask(), {
    status: 503,
    body: { checks: { assignment: false }, instances: { 'assignment-1': 'busy', 'learner-1': 'ready' } },
  });
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  t.match(metrics, /up\{instance="assignment-1"\} 1/);
  t.match(metrics, /bandit_instance_ready\{instance="gateway",name="learner-1"\} 1/);
  t.match(metrics, /bandit_instance_ready\{instance="gateway",name="assignment-1"\} 0/);
  for (const path of ['/livez', '/healthz']) t.equal((await fetch(gateway.url + path)).status, 200);
});

t.test('the document is there once every service gives its own', async (t) => {
  const gateway = await openGateway(t);
  const describe = (path: string) => (_request: unknown, response: { end(text: string): void }) =>
    response.end(JSON.stringify({ openapi: '3.1.0', paths: { [path]: { get: {} } } }));
  await gateway.standIn('assignment-1', 'assignment', describe('/a'));
  await gateway.standIn('ingest-1', 'ingest', describe('/i'));
  t.equal((await fetch(`${gateway.url}/openapi.json`)).status, 503);
  await gateway.standIn('management-1', 'management', describe('/m'));
  const answer = await fetch(`${gateway.url}/openapi.json`);
  t.match(answer.headers.get('content-type'), /^application\/json/);
  t.strictSame(Object.keys(((await answer.json()) as { paths: object }).paths).sort(), ['/a', '/i', '/m']);
});
