import { createHmac, randomBytes } from 'node:crypto';
import t from 'tap';
import { createMac } from '../../src/assignment-id/create-mac.ts';

t.test('RFC 4231, test cases 1 and 2', (t) => {
  const hex = (key: Uint8Array, text: string) => createMac(key, 100)(Buffer.from(text)).toString('hex');
  t.equal(hex(new Uint8Array(20).fill(0x0b), 'Hi There'), 'b0344c61d8db38535ca8afceaf0bf12b');
  t.equal(hex(Buffer.from('Jefe'), 'what do ya want for nothing?'), '5bdcc146bf60754e6a042426089575c7');
  t.end();
});

t.test('the same as node:crypto for any message, one after the other', (t) => {
  const key = randomBytes(32);
  const mac = createMac(key, 300);
  for (let length = 300; length >= 0; length -= 7) {
    const message = randomBytes(length);
    t.strictSame(mac(message), createHmac('sha256', key).update(message).digest().subarray(0, 16));
  }
  t.throws(() => mac(randomBytes(301)), RangeError);
  t.throws(() => createMac(randomBytes(65), 10), RangeError);
  t.end();
});
