import t from 'tap';
import { BinaryReader } from '../../src/codec/binary-reader.ts';
import { BinaryWriter } from '../../src/codec/binary-writer.ts';

t.test('numbers survive bit for bit', (t) => {
  const values = [
    0,
    -0,
    1,
    -1.5,
    Number.MAX_VALUE,
    Number.MIN_VALUE,
    Infinity,
    -Infinity,
    Number.NaN,
    0.1 + 0.2,
  ];
  const writer = new BinaryWriter(1);
  for (const value of values) writer.f64(value);
  writer.f64s(values).f32s([0.5, -3]);
  const reader = new BinaryReader(writer.finish());
  for (const value of values) t.ok(Object.is(reader.f64(), value), String(value));
  t.ok(reader.f64s().every((value, i) => Object.is(value, values[i])));
  t.strictSame([...reader.f32s()], [0.5, -3]);
  t.equal(reader.remaining, 0);
  t.end();
});

t.test('varints take 7 bits a byte up to 2^53 - 1', (t) => {
  const table: [number, number][] = [
    [0, 1],
    [127, 1],
    [128, 2],
    [16_383, 2],
    [16_384, 3],
    [2 ** 32, 5],
    [Number.MAX_SAFE_INTEGER, 8],
  ];
  for (const [value, nBytes] of table) {
    const bytes = new BinaryWriter().varint(value).finish();
    t.equal(bytes.length, nBytes);
    t.equal(new BinaryReader(bytes).varint(), value);
  }
  // 300 = 2 * 128 + 44: low seven bits first, with the continuation bit.
  t.strictSame([...new BinaryWriter().varint(300).finish()], [44 + 128, 2]);
  for (const bad of [-1, 0.5, Number.NaN, 2 ** 53])
    t.throws(() => new BinaryWriter().varint(bad), RangeError);
  t.throws(() => new BinaryReader(new Uint8Array(8).fill(255)).varint(), RangeError);
  t.end();
});

t.test('strings and bytes survive, lone surrogates become U+FFFD', (t) => {
  const writer = new BinaryWriter().string('').string('héllo 🎰 \u0000').string('\uFEFFbom').string('\uD800');
  writer.bytes(new Uint8Array([1, 2, 3]));
  const reader = new BinaryReader(writer.finish());
  t.equal(reader.string(), '');
  t.equal(reader.string(), 'héllo 🎰 \u0000');
  t.equal(reader.string(), '\uFEFFbom');
  t.equal(reader.string(), '\uFFFD');
  t.strictSame([...reader.bytes()], [1, 2, 3]);
  t.end();
});

t.test('a reader skips sections it does not know and names the ones it misses', (t) => {
  const writer = new BinaryWriter().header(7, 2);
  writer.section(1, (body) => body.varint(5)).section(99, (body) => body.string('from the future'));
  writer.section(2, (body) => body.bool(true));
  const reader = new BinaryReader(writer.finish());
  t.equal(reader.header(7, 2), 2);
  const sections = reader.sections();
  t.equal(sections.get(1).varint(), 5);
  t.equal(sections.get(2).bool(), true);
  t.equal(sections.find(3), undefined);
  t.throws(() => sections.get(3), { message: /section 3 is missing/ });
  t.end();
});

t.test('a wrong kind, a newer version or cut bytes are refused', (t) => {
  const bytes = new BinaryWriter().header(7, 3).f64s([1, 2, 3]).finish();
  t.throws(() => new BinaryReader(bytes).header(8, 3), { message: /kind must be 8, got 7/ });
  t.throws(() => new BinaryReader(bytes).header(7, 2), { message: /version must be 1 to 2, got 3/ });
  for (let n = 0; n < bytes.length; n++) {
    const reader = new BinaryReader(bytes.subarray(0, n));
    t.throws(() => {
      reader.header(7, 3);
      reader.f64s();
    }, RangeError);
  }
  t.end();
});
