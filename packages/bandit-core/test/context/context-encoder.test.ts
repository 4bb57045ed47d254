import t from 'tap';
import { BinaryReader } from '../../src/codec/binary-reader.ts';
import { BinaryWriter } from '../../src/codec/binary-writer.ts';
import { ContextEncoder, columnsMax } from '../../src/context/context-encoder.ts';
import { SparseVector } from '../../src/context/sparse-vector.ts';
import type { Context } from '../../src/policy.ts';
import { createRng } from '../../src/rng.ts';

t.test('a bias, one column for each string and boolean value, one for each number', (t) => {
  const encoder = new ContextEncoder();
  t.strictSame(entries(encoder, undefined), [[0, 1]], 'no context is the bias alone');
  encoder.observe({ plan: 'pro', isNew: true, age: 10 });
  // Columns in order of sighting, new ones of one trial by key: age 1, isNew=true 2, plan=pro 3.
  t.strictSame(entries(encoder, { plan: 'pro', isNew: true }), [
    [0, 1],
    [2, 1],
    [3, 1],
  ]);
  encoder.observe({ plan: 'free', isNew: false, age: 20 });
  // isNew=false 4, plan=free 5; ages 10 and 20 have mean 15 and s.d. 5, so 30 is 3 s.d. above.
  t.strictSame(entries(encoder, { age: 30, plan: 'free', isNew: false }), [
    [0, 1],
    [1, 3],
    [4, 1],
    [5, 1],
  ]);
  t.equal(encoder.nColumns, 6);
  t.equal(encoder.meanEntries, 4);
  t.end();
});

t.test('key order does not matter, types are kept apart, unseen values are counted', (t) => {
  const [one, other] = [new ContextEncoder(), new ContextEncoder()];
  one.observe({ b: '1', a: 'x', c: true });
  other.observe({ c: true, a: 'x', b: '1' });
  t.strictSame(entries(one, { a: 'x', b: '1' }), entries(other, { b: '1', a: 'x' }));
  t.strictSame(entries(one, { b: 1 }), [[0, 1]], 'number 1 is not the string 1');
  t.strictSame(entries(one, { c: 'true' }), [[0, 1]], 'the string true is not true');
  const x = new SparseVector(columnsMax);
  one.encode({ a: 'y', b: '1', d: 'new key', e: 5 }, x);
  t.equal(x.nUnseen, 2, 'a new value and a new key; the number without a scaler adds nothing');
  t.end();
});

t.test('numbers of any size are standardised, cut at 5 s.d. and frozen after 200', (t) => {
  const encoder = new ContextEncoder();
  const start = 1.7e12;
  for (let i = 0; i < 200; i++)
    encoder.observe({ time: start + 1000 * i, scaled: 1e6 * (i % 2), same: 42, tiny: 1e-9 * (i % 2) });
  const before = entries(encoder, { time: start, scaled: 1e6, same: 42, tiny: 1e-9 });
  // Alternating 0 and 1e6 have mean and s.d. 5e5: 1e6 is +1. A constant has no column value at all.
  const [, same, scaled, time, tiny] = [0, 1, 2, 3, 4].map(
    (column) => before.find(([c]) => c === column)?.[1],
  );
  t.equal(same, scaled === undefined ? same : undefined, 'a constant adds nothing');
  t.ok(Math.abs(scaled! - 1) < 1e-9 && Math.abs(tiny! - 1) < 1e-9);
  // Times 0, 1, …, 199 steps have mean 99.5 and s.d. sqrt((200^2 - 1) / 12) = 57.73; the first is at -1.7235.
  t.ok(Math.abs(time! + 99.5 / Math.sqrt((200 ** 2 - 1) / 12)) < 1e-6);
  for (let i = 0; i < 1000; i++) encoder.observe({ time: start * 2, scaled: -5e9, same: 43, tiny: 1 });
  t.strictSame(entries(encoder, { time: start, scaled: 1e6, same: 42, tiny: 1e-9 }), before, 'frozen');
  t.strictSame(
    entries(encoder, { time: 1e300, scaled: -1e300 }).map(([, value]) => value),
    [1, -5, 5],
  );
  t.end();
});

t.test('values that cannot be used are left out', (t) => {
  const encoder = new ContextEncoder();
  const broken = { a: Number.NaN, b: Infinity, c: null, d: { e: 1 }, f: undefined } as unknown as Context;
  encoder.observe(broken);
  t.equal(encoder.nColumns, 1);
  t.strictSame(entries(encoder, broken), [[0, 1]]);
  const odd = {
    __proto__x: 'a',
    constructor: 'b',
    '': '',
    ['k'.repeat(5000)]: 'v'.repeat(5000),
    '\uD800': '\uDFFF',
  };
  encoder.observe(odd);
  t.equal(entries(encoder, odd).length, 6);
  encoder.observe({ wide: 1e308 });
  encoder.observe({ wide: -1e308 });
  t.ok(entries(encoder, { wide: 1e308 }).every(([, value]) => Number.isFinite(value)));
  t.end();
});

t.test('memory is bounded: 48 strings a key, 192 dictionary columns, 64 signed buckets', (t) => {
  const encoder = new ContextEncoder();
  for (let i = 0; i < 20_000; i++) encoder.observe({ user: `u${i}`, group: `g${i % 5}` });
  // 1 bias + 48 users + 5 groups + 64 buckets that later users hash to.
  t.equal(encoder.nColumns, 1 + 48 + 5 + 64);
  const late = entries(encoder, { user: 'u19999', group: 'g1' });
  t.equal(late.length, 3);
  t.equal(Math.abs(late.at(-1)![1]), 1);
  for (let i = 0; i < 5000; i++)
    encoder.observe({ [`key${i}`]: i % 2 === 0 ? i : `s${i}`, [`number${i}`]: i });
  t.equal(encoder.nColumns, columnsMax);
  const wide = Object.fromEntries(
    Array.from({ length: 3000 }, (_, i) => [`key${i}`, i % 3 === 0 ? i : `s${i}`]),
  );
  const x = entries(encoder, wide);
  t.ok(x.length <= columnsMax && x.every(([, value]) => Number.isFinite(value)));
  t.ok(encoded(encoder).length < 30_000, `${encoded(encoder).length} bytes`);
  t.end();
});

t.test('a decoded encoder goes on bit for bit', (t) => {
  const seed = 7;
  t.comment(`seed ${seed}`);
  const rng = createRng(seed);
  const live = new ContextEncoder();
  let copy = new ContextEncoder();
  for (let i = 0; i < 600; i++) {
    const context = randomContext(rng.uniform, i);
    live.observe(context);
    copy.observe(context);
    if (i % 97 === 0) copy = ContextEncoder.read(new BinaryReader(encoded(copy)));
  }
  t.strictSame(encoded(copy), encoded(live));
  for (let i = 0; i < 50; i++) {
    const context = randomContext(rng.uniform, i);
    t.strictSame(entries(copy, context), entries(live, context));
  }
  t.end();
});

function randomContext(uniform: () => number, i: number): Context {
  const context: Record<string, string | number | boolean> = { id: `id${i}`, amount: 1e6 * uniform() };
  if (uniform() < 0.5) context.flag = uniform() < 0.5;
  if (uniform() < 0.9) context[`field${Math.floor(120 * uniform())}`] = `v${Math.floor(5 * uniform())}`;
  if (uniform() < 0.5) context[`number${Math.floor(200 * uniform())}`] = uniform() - 0.5;
  return context;
}

function entries(encoder: ContextEncoder, context: Context | undefined): [number, number][] {
  const x = new SparseVector(columnsMax);
  encoder.encode(context, x);
  return Array.from({ length: x.length }, (_, i) => [x.columns[i]!, x.values[i]!]);
}

function encoded(encoder: ContextEncoder): Uint8Array {
  const writer = new BinaryWriter();
  encoder.write(writer);
  return writer.finish();
}
