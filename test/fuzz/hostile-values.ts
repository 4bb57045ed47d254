import fc from 'fast-check';

/** Stands in a value for text that JSON.stringify would not write: `writeJson` puts it there as it is. */
const raw = (text: string): string => `@raw:${text}@`;

export function writeJson(value: unknown): string {
  return (JSON.stringify(value) ?? '').replaceAll(/"@raw:(.*?)@"/g, (_match, text: string) =>
    JSON.parse(`"${text}"`),
  );
}

const nested = (depth: number): unknown => {
  let value: unknown = 1;
  for (let i = 0; i < depth; i += 1) value = i % 2 === 0 ? [value] : { a: value };
  return value;
};

/** What breaks naive servers (docs of the platform's input rules), and plain edges of every type. */
const known: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1,
  1.5,
  1e12,
  1e12 + 1,
  -1e13,
  1e308,
  5e-324,
  2 ** 31,
  2 ** 53,
  '',
  ' ',
  '5',
  'x',
  'x'.repeat(257),
  'x'.repeat(70_000),
  '😀'.repeat(200),
  '\u0000',
  'a\u0000b',
  '\u2028\u202e\ufeff',
  "'; drop table events; --",
  '<script>alert(1)</script>',
  '{{7*7}}',
  '../../etc/passwd',
  '2026-01-15T10:00:00.000Z',
  '2026-02-30T10:00:00Z',
  '0000-01-01T00:00:00Z',
  '9999-12-31T23:59:59.999Z',
  '1000-01-01T00:00:00+14:00',
  'ACTIVE',
  'archived',
  'EPSILON_GREEDY',
  'NEURAL_CONTEXTUAL',
  'CONVERSION',
  [],
  {},
  [null],
  [[]],
  [1, 'a', {}],
  { '': '' },
  { toString: 1, hasOwnProperty: 'x' },
  { 'a\nb': 1 },
  nested(6),
  nested(15),
  nested(40),
  Array.from({ length: 60 }, (_, i) => i),
  Array.from({ length: 1_001 }, () => ({})),
  raw('1e400'),
  raw('-1e400'),
  raw('-0'),
  raw('1E+5'),
  raw('123456789012345678901234567890'),
  raw('"\\ud800"'),
  raw('"\\u0000"'),
  raw('{"__proto__":{"a":1}}'),
  raw('{"constructor":{"prototype":{}}}'),
  raw('{"a":1,"a":2}'),
  raw('NaN'),
  raw('01'),
];

export const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...known) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  { weight: 1, arbitrary: fc.double() },
);

export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '.',
    '..',
    '%00',
    'exp_%00',
    'exp_',
    'exp_!',
    'fnl_%F0%9F%98%80',
    '%',
    '%zz',
    '%ED%A0%80',
    '%2e%2e%2f',
    'a%2Fb',
    '0',
    '-1',
    '1e3',
    '999999999999999999999',
    'null',
    'x'.repeat(300),
    'exp_'.padEnd(3_000, 'A'),
    '{"a":1}',
    '{"__proto__":{"a":1}}',
    '[',
  ),
  fc.webFragments(),
  fc.string({ maxLength: 30 }),
);
