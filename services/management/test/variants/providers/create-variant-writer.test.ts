import { createRng } from '@bandit/core';
import t, { type Test } from 'tap';
import { Agent } from 'undici';
import { anthropic } from '../../../src/variants/providers/anthropic.ts';
import { createVariantWriter } from '../../../src/variants/providers/create-variant-writer.ts';
import { openaiCompatible } from '../../../src/variants/providers/openai-compatible.ts';
import { readRetryAfter } from '../../../src/variants/providers/post-json.ts';
import { ProviderFailure } from '../../../src/variants/providers/provider-failure.ts';
import { answerJsonSchema, type ProviderSettings } from '../../../src/variants/providers/variant-provider.ts';
import {
  anthropicMessage,
  completion,
  cutMidBody,
  goodVariant,
  hang,
  hangMidBody,
  oversized,
  type Reply,
  respond,
  startProviderDouble,
} from '../provider-double.ts';

const prompt = { system: 'the rules', user: 'the data' };
const nowMs = Date.parse('2026-01-15T10:00:00Z');
const never = new AbortController().signal;
const unchanged = (answer: unknown) => answer;
const goodJson = JSON.stringify(goodVariant);

type Kind = typeof openaiCompatible | typeof anthropic;

/** A writer on a provider double; waits are kept instead of waited. */
async function setUp(t: Test, kind: Kind, options: Partial<ProviderSettings> & { timeoutMs?: number } = {}) {
  const double = await startProviderDouble(t);
  const dispatcher = new Agent({ connections: 4 });
  t.teardown(() => dispatcher.destroy());
  const waits: number[] = [];
  const baseUrl = options.baseUrl ?? (kind === openaiCompatible ? `${double.url}/v1` : double.url);
  const writer = createVariantWriter({
    provider: kind({ apiKey: 'sk-secret', model: 'model-1', ...options, baseUrl }),
    dispatcher,
    rng: createRng(3),
    nowMs: () => nowMs,
    wait: async (milliseconds, signal) => {
      signal.throwIfAborted();
      waits.push(Math.round(milliseconds));
    },
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
  });
  return { double, writer, waits, write: () => writer.write(prompt, unchanged, never) };
}

t.test('OpenAI-compatible: the request, structured, and the answer', async (t) => {
  const { double, write, writer } = await setUp(t, openaiCompatible);
  double.reply(completion(goodJson));
  t.equal(await write(), goodJson);
  t.equal(double.requests.length, 1);
  const { method, path, headers, body } = double.requests[0]!;
  t.same([method, path, headers.authorization], ['POST', '/v1/chat/completions', 'Bearer sk-secret']);
  t.same(body, {
    model: 'model-1',
    stream: false,
    messages: [
      { role: 'system', content: 'the rules' },
      { role: 'user', content: 'the data' },
    ],
    response_format: {
      type: 'json_schema',
      json_schema: { name: 'variant', strict: true, schema: answerJsonSchema },
    },
  });
  t.same([writer.providerName, writer.model], ['openai-compatible', 'model-1']);
});

t.test('OpenAI-compatible: a local server needs no key, a base URL may end in a slash', async (t) => {
  const { double, write } = await setUp(t, openaiCompatible, { apiKey: undefined });
  double.reply(completion(goodJson));
  await write();
  t.notOk('authorization' in double.requests[0]!.headers);
  const provider = openaiCompatible({ baseUrl: 'http://127.0.0.1:11434/v1/', apiKey: undefined, model: 'm' });
  t.equal(provider.url.href, 'http://127.0.0.1:11434/v1/chat/completions');
});

t.test(
  'OpenAI-compatible: a server that refuses json_schema is asked plainly, and from then on',
  async (t) => {
    const { double, write, waits } = await setUp(t, openaiCompatible);
    const refuse = respond(400, '{"error":"response_format.type must be text"}');
    double.reply(refuse, completion('```json\n{}\n```'), completion(goodJson));
    t.equal(await write(), '```json\n{}\n```');
    t.same(
      double.requests.map(({ body }) => 'response_format' in body),
      [true, false],
    );
    t.equal(await write(), goodJson);
    t.same(
      double.requests.map(({ body }) => 'response_format' in body),
      [true, false, false],
    );
    t.same(waits, [], 'it is no retry');
  },
);

t.test('OpenAI-compatible: a 400 for another reason is asked plainly once and not remembered', async (t) => {
  const { double, write } = await setUp(t, openaiCompatible);
  double.reply(respond(400, '{}'));
  await t.rejects(write(), { name: 'ProviderFailure', reason: 'status', status: 400 });
  t.equal(double.requests.length, 2);
  double.reply(completion(goodJson));
  await write();
  t.ok('response_format' in double.requests[0]!.body);
});

t.test('Anthropic: the request, structured, and the answer', async (t) => {
  const { double, write, writer } = await setUp(t, anthropic);
  double.reply(
    anthropicMessage([
      { type: 'thinking', thinking: '…' },
      { type: 'text', text: goodJson },
    ]),
  );
  t.equal(await write(), goodJson);
  const { method, path, headers, body } = double.requests[0]!;
  t.same([method, path], ['POST', '/v1/messages']);
  t.same([headers['x-api-key'], headers['anthropic-version']], ['sk-secret', '2023-06-01']);
  t.notOk('authorization' in headers);
  t.same(body, {
    model: 'model-1',
    max_tokens: 4_096,
    system: 'the rules',
    messages: [{ role: 'user', content: 'the data' }],
    output_config: { format: { type: 'json_schema', schema: answerJsonSchema } },
  });
  t.equal(writer.providerName, 'anthropic');
  const versioned = anthropic({ baseUrl: 'https://api.anthropic.com/v1/', apiKey: 'k', model: 'm' });
  t.equal(versioned.url.href, 'https://api.anthropic.com/v1/messages');
});

t.test('Anthropic: a model without structured output is made to call a tool', async (t) => {
  const { double, write } = await setUp(t, anthropic);
  const call = { type: 'tool_use', id: 'toolu_1', name: 'submit_variant', input: goodVariant };
  double.reply(respond(400, '{"type":"error"}'), anthropicMessage([call], 'tool_use'));
  t.same(await write(), goodVariant);
  t.match(double.requests[1]!.body, {
    tools: [{ name: 'submit_variant', input_schema: answerJsonSchema }],
    tool_choice: { type: 'tool', name: 'submit_variant' },
  });
  t.notOk('output_config' in double.requests[1]!.body);
});

t.test('what fails for now is asked once more', async (t) => {
  const { double, write, waits } = await setUp(t, openaiCompatible);
  const passing: [string, Reply][] = [
    ['429', respond(429, '{}')],
    ['500', respond(500, 'oops')],
    ['529', respond(529, '{}')],
    ['a cut connection', (response) => response.destroy()],
    ['a connection cut in the middle of the body', cutMidBody],
    ['broken JSON', respond(200, '{"choices":[')],
    ['bytes that are not UTF-8', respond(200, Buffer.from([0x22, 0xff, 0x22]))],
    ['a prototype in the response', respond(200, '{"__proto__":{"choices":[]}}')],
    ['no choices', respond(200, '{"choices":[]}')],
    ['a null answer', completion(null)],
    ['an answer that was cut off', completion(goodJson, { finish_reason: 'length' })],
  ];
  for (const [name, reply] of passing) {
    double.reply(reply, completion(goodJson));
    t.equal(await write(), goodJson, name);
    t.equal(double.requests.length, 2, `${name}: two calls`);
  }
  t.equal(waits.length, passing.length);
  t.ok(
    waits.every((wait) => wait >= 250 && wait <= 750),
    `waits around 500 ms: ${waits}`,
  );

  for (const [name, reply] of passing) {
    double.reply(reply);
    await t.rejects(write(), { name: 'ProviderFailure' }, `${name} twice`);
    t.equal(double.requests.length, 2, `${name}: no third call`);
  }
});

t.test('what cannot get better is asked once', async (t) => {
  const elsewhere = await startProviderDouble(t);
  elsewhere.reply(completion(goodJson));
  const { double, write, waits } = await setUp(t, openaiCompatible);
  const hopeless: [string, Reply, { name: string; reason: string; status?: number }][] = [
    [
      '401',
      respond(401, '{"error":"bad key sk-secret"}'),
      { name: 'ProviderFailure', reason: 'status', status: 401 },
    ],
    ['404', respond(404, '{}'), { name: 'ProviderFailure', reason: 'status', status: 404 }],
    [
      'a redirect',
      respond(307, '', { location: `${elsewhere.url}/v1/chat/completions` }),
      { name: 'ProviderFailure', reason: 'redirect', status: 307 },
    ],
    ['an endless body', oversized, { name: 'ProviderFailure', reason: 'answer-too-large' }],
    [
      'Retry-After past the deadline',
      respond(429, '{}', { 'retry-after': '60' }),
      { name: 'ProviderFailure', reason: 'status', status: 429 },
    ],
  ];
  for (const [name, reply, failure] of hopeless) {
    double.reply(reply);
    await t.rejects(write(), failure, name);
    t.equal(double.requests.length, 1, `${name}: one call`);
  }
  t.equal(elsewhere.requests.length, 0, 'the redirect was not followed');
  t.same(waits, []);
});

t.test('a failure holds nothing of what the provider said', async (t) => {
  const { double, write } = await setUp(t, openaiCompatible);
  double.reply(respond(401, '{"error":"bad key sk-secret"}'));
  const error = await write().then(
    () => undefined,
    (caught: unknown) => caught,
  );
  t.ok(error instanceof Error);
  t.notMatch(`${(error as Error).stack} ${JSON.stringify(error)}`, /sk-secret|bad key/);
});

t.test('Retry-After decides how long to wait', async (t) => {
  const { double, write, waits } = await setUp(t, openaiCompatible);
  double.reply(respond(503, '{}', { 'retry-after': '2' }), completion(goodJson));
  await write();
  const inThreeSeconds = new Date(nowMs + 3_000).toUTCString();
  double.reply(respond(429, '{}', { 'retry-after': inThreeSeconds }), completion(goodJson));
  await write();
  t.same(waits, [2_000, 3_000]);
  t.equal(readRetryAfter('soon', nowMs), undefined);
  t.equal(readRetryAfter('', nowMs), undefined);
  t.equal(readRetryAfter(new Date(nowMs - 5_000).toUTCString(), nowMs), 0, 'a date gone by is now');
});

t.test('an answer that is not accepted counts as a failed attempt', async (t) => {
  const { double, writer } = await setUp(t, openaiCompatible);
  double.reply(completion('first'), completion('second'));
  const onlySecond = (answer: unknown) => {
    if (answer === 'second') return answer;
    throw new ProviderFailure('answer-duplicate', { isRetryable: true });
  };
  t.equal(await writer.write(prompt, onlySecond, never), 'second');
  double.reply(completion('first'));
  await t.rejects(writer.write(prompt, onlySecond, never), {
    name: 'ProviderFailure',
    reason: 'answer-duplicate',
  });
  t.equal(double.requests.length, 2);
});

t.test('the deadline ends a call that hangs, wherever it hangs', async (t) => {
  const { double, write } = await setUp(t, openaiCompatible, { timeoutMs: 150 });
  for (const reply of [hang, hangMidBody]) {
    double.reply(reply);
    await t.rejects(write(), { name: 'ProviderFailure', reason: 'timeout' });
    t.equal(double.requests.length, 1, 'no time for another call');
  }
});

t.test('stopping ends a call at once with the reason given', async (t) => {
  const { double, writer } = await setUp(t, openaiCompatible);
  for (const reply of [hang, hangMidBody]) {
    double.reply(reply);
    const stop = new AbortController();
    const call = writer.write(prompt, unchanged, stop.signal);
    await double.arrived(1);
    stop.abort(new Error('shutting down'));
    await t.rejects(call, { message: 'shutting down' });
  }
  const stopped = AbortSignal.abort(new Error('shutting down'));
  await t.rejects(writer.write(prompt, unchanged, stopped), { message: 'shutting down' });
});

t.test('a provider that is not there is a network failure', async (t) => {
  const { write } = await setUp(t, openaiCompatible, { baseUrl: 'http://127.0.0.1:1/v1' });
  await t.rejects(write(), { name: 'ProviderFailure', reason: 'network', isRetryable: true });
});
