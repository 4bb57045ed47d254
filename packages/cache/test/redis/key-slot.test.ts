import t from 'tap';
import { slotOfKey } from '../../src/redis/key-slot.ts';

t.test('slots are those of Redis', async (t) => {
  // CRC16("123456789") = 0x31c3 is the check value of XMODEM; the others are answers of CLUSTER KEYSLOT on Redis 7.0.
  t.equal(slotOfKey('123456789'), 0x31c3);
  t.equal(slotOfKey('foo'), 12_182);
  t.equal(slotOfKey(''), 0);
  t.equal(slotOfKey('{user1000}.following'), slotOfKey('user1000'));
  t.equal(slotOfKey('foo{}{bar}'), 8_363);
  t.equal(slotOfKey('foo{{bar}}zap'), slotOfKey('{bar'));
  t.equal(slotOfKey('foo{bar}{zap}'), slotOfKey('bar'));
});
