import { ApiError } from '@bandit/contracts';
import fc from 'fast-check';
import t from 'tap';
import { parseJson } from '../src/index.ts';

const malformed = { name: 'ApiError', code: 'MALFORMED_JSON', statusCode: 400 };

t.test('good JSON is what JSON.parse makes of it, from text and from bytes', (t) => {
  const texts = [
    '0',
    '-1.5e3',
    'true',
    'false',
    'null',
    '""',
    '[]',
    '{}',
    ' {"a" : [1, {"b":"c\\n\\u00e9"}]} ',
    '"\\ud83d\\ude00"',
    '"😀"',
    '"\\\\u0000"',
    '"\\\\"',
    '{"constructor":"acme"}',
    '{"a":1,"a":2}',
    '1e308',
    '"1e400"',
    '"[[[[[[[[[[[[[[[[[["',
    '"\\"}}"',
  ];
  for (const text of texts) {
    t.strictSame(parseJson(text), JSON.parse(text), text);
    t.strictSame(parseJson(Buffer.from(text)), JSON.parse(text), `bytes of ${text}`);
    t.strictSame(parseJson(new Uint8Array(Buffer.from(text))), JSON.parse(text), `plain bytes of ${text}`);
  }
  t.end();
});

t.test('depth 16 passes, 17 is refused, and 5,000 does not grow the stack', (t) => {
  const nest = (n: number) => '['.repeat(n) + ']'.repeat(n);
  t.ok(parseJson(nest(16)));
  t.throws(() => parseJson(nest(17)), { ...malformed, message: 'body is nested deeper than 16 levels' });
  t.throws(() => parseJson(nest(5_000)), malformed);
  t.throws(() => parseJson('{"a":'.repeat(1e6)), malformed);
  t.throws(() => parseJson('[[1]]', { depthMax: 1, name: 'context' }), {
    message: /^context is nested deeper than 1/,
  });
  t.ok(parseJson('[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]'), 'side by side is not deep');
  t.end();
});

t.test('what the database cannot hold is refused, in values and in keys', (t) => {
  const texts = [
    '"\\u0000"',
    '{"\\u0000":1}',
    '["a\\u0000b"]',
    '{"a":{"b":"\\uD800"}}',
    '"\\udc00"',
    '"\\udc00\\ud800"',
    '"\\ud800\\ud800"',
    '"\\ud800x"',
    '{"\\uDBFF":1}',
    '"\\ud800\\n"',
    '"\\ud800\\\\udc00"',
  ];
  for (const text of texts) {
    t.throws(() => parseJson(text), malformed, text);
    t.throws(() => parseJson(Buffer.from(text)), malformed, `bytes of ${text}`);
  }
  t.throws(() => parseJson('"\ud800"'), malformed, 'a raw lone surrogate in text');
  t.throws(() => parseJson(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])), malformed, 'a surrogate in UTF-8');
  t.throws(() => parseJson(Buffer.from([0x22, 0xff, 0x22])), malformed, 'not UTF-8');
  t.throws(() => parseJson(Buffer.from('"\0"')), malformed, 'a raw NUL');
  t.end();
});

t.test('numbers must be finite, however they are written', (t) => {
  const huge = '9'.repeat(400);
  for (const text of ['1e400', '-1E400', '[1,{"a":1e999}]', huge, `-${huge}.5`, `{"v":${huge}}`, '10e308']) {
    t.throws(() => parseJson(text), malformed, text.slice(0, 20));
  }
  t.equal(parseJson(`0.${'9'.repeat(400)}`), 1, 'many digits may be a small number');
  t.equal(parseJson('1e-400'), 0);
  t.end();
});

t.test('keys that poison prototypes are refused in every disguise', (t) => {
  const texts = [
    '{"__proto__":{"isAdmin":true}}',
    '{"a":{"__proto__":1}}',
    '{"\\u005f_proto__":{}}',
    '{"_\\u005Fproto\\u005f_":{}}',
    '[{"__proto__" : null}]',
    '{"constructor":{"prototype":{"x":1}}}',
    '{"c\\u006fnstructor":{"prototype":1}}',
  ];
  for (const text of texts) t.throws(() => parseJson(text), malformed, text);
  t.strictSame(parseJson('{"note":"__proto__"}'), { note: '__proto__' }, 'as a value it is a word');
  t.equal((Object.prototype as { isAdmin?: boolean }).isAdmin, undefined);
  t.end();
});

t.test('broken JSON is named, in one bounded line', (t) => {
  for (const text of [
    '',
    ' ',
    '{',
    '{"a":1,}',
    "{'a':1}",
    '[1 2]',
    'NaN',
    'undefined',
    '"',
    '"\\',
    '"\\u12',
    '{"a":tru}',
    '\ufeff{}',
    '01',
    '"a\nb"',
  ]) {
    t.throws(
      () => parseJson(text),
      { ...malformed, message: /^body is not JSON: [^\n]{1,130}$/ },
      JSON.stringify(text),
    );
  }
  t.end();
});

t.test('agrees with JSON.parse on whatever JSON.stringify writes, and never throws another error', (t) => {
  const seed = 20260115;
  t.comment(`seed ${seed}`);
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const text = JSON.stringify(value);
      if (/\\u0000|\\ud[89a-f]|"__proto__"|prototype/i.test(text)) return;
      t.same(parseJson(text), JSON.parse(text));
    }),
    { seed, numRuns: 300 },
  );
  const bit = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '"',
    '\\',
    '\\u',
    '0000',
    'd800',
    'dc00',
    'e',
    '1',
    '-',
    '.',
    ',',
    ':',
    'é',
    'true',
  );
  fc.assert(
    fc.property(fc.array(bit, { maxLength: 40 }), (bits) => {
      try {
        const text = bits.join('');
        const value = parseJson(text);
        return JSON.stringify(value) === JSON.stringify(JSON.parse(text));
      } catch (error) {
        return error instanceof ApiError && error.code === 'MALFORMED_JSON';
      }
    }),
    { seed, numRuns: 3_000 },
  );
  t.end();
});
