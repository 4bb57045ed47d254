import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SpanKind } from '@opentelemetry/api';
import t from 'tap';
import { makeDataDir, startChild } from './child-platform.ts';
import { createClient, until } from './client.ts';
import type { SpanLine } from './spans-to-file.ts';

// A slow machine is not a failure.
t.setTimeout(300_000);

t.test('with an SDK preloaded a request is one trace, down to what it waits for', async (t) => {
  const dataDir = await makeDataDir(t);
  const spansFile = join(dataDir, 'spans.jsonl');
  const platform = await startChild(t, dataDir, {
    NODE_OPTIONS: `--import ${new URL('./spans-to-file.ts', import.meta.url).href}`,
    SPANS_FILE: spansFile,
  });
  const client = createClient(platform.url, platform.apiKey as string);
  const experimentId = await client.activate({
    name: 'Traced',
    algorithm: 'THOMPSON_SAMPLING',
    treatments: [
      { name: 'A', config: { content: 'a' } },
      { name: 'B', config: { content: 'b' } },
    ],
  });

  const readSpans = async (): Promise<SpanLine[]> =>
    (await readFile(spansFile, 'utf8').catch(() => ''))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  let nTraces = 0;
  /** Sends a request with a trace of its own. @returns the names of its spans, the outermost first, each under the last */
  const traceOf = async (method: string, path: string, body: object, credentials: Record<string, string>) => {
    const traceId = `${'ab'.repeat(15)}${10 + nTraces++}`;
    const answer = await fetch(platform.url + path, {
      method,
      headers: {
        'content-type': 'application/json',
        traceparent: `00-${traceId}-${'cd'.repeat(8)}-01`,
        ...credentials,
      },
      body: JSON.stringify(body),
    });
    t.ok(answer.ok, `${method} ${path} answered ${answer.status}`);
    // biome-ignore lint/suspicious/noExplicitAny: an id is taken from it.
    const { data } = (await answer.json()) as { data: any };
    const spans = await until(
      async () => (await readSpans()).filter((span) => span.traceId === traceId),
      (found) => found.some((span) => span.kind === SpanKind.SERVER && span.parentId === 'cd'.repeat(8)),
      10_000,
    );
    const names: string[] = [];
    for (let parentId: string | undefined = 'cd'.repeat(8); parentId !== undefined; ) {
      const span: SpanLine | undefined = spans.find((one) => one.parentId === parentId);
      if (span !== undefined) names.push(span.name);
      parentId = span?.spanId;
    }
    return { names, data, spans };
  };
  const key = { 'x-api-key': platform.apiKey as string };
  const admin = { 'x-user-email': 'admin@example.com' };

  const assigned = await traceOf('POST', '/assignments', { experimentId, userId: 'user_secret' }, key);
  t.strictSame(assigned.names, ['POST /assignments', 'assignment commit']);
  const known = await traceOf('POST', '/assignments', { experimentId, userId: 'user_secret' }, key);
  t.strictSame(known.names, ['POST /assignments'], 'a known user waits for nothing');
  const event = { assignmentId: assigned.data.assignmentId, eventType: 'CONVERSION' };
  t.strictSame((await traceOf('POST', '/events', event, key)).names, ['POST /events', 'events commit']);
  const refreshed = await traceOf('POST', `/experiments/${experimentId}/refresh`, {}, admin);
  t.strictSame(
    refreshed.names,
    ['POST /experiments/:id/refresh', 'refresh request', 'learner refresh'],
    'from management to the learner',
  );
  t.notMatch(JSON.stringify(await readSpans()), /user_secret|admin@example|bk_/, 'and nobody is named');
  t.equal(await platform.stop('SIGTERM'), 0);
});
