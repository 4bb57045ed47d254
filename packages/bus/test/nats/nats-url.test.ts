import t from 'tap';
import { nameForNats } from '../../src/nats/nats-names.ts';
import { parseNatsUrl } from '../../src/nats/nats-url.ts';

t.test('URLs give servers without credentials, and the credentials beside them', async (t) => {
  t.strictSame(parseNatsUrl('nats://127.0.0.1:4222'), { servers: ['127.0.0.1:4222'], isTls: false });
  t.strictSame(parseNatsUrl('nats://a, nats://b:5000'), { servers: ['a:4222', 'b:5000'], isTls: false });
  t.strictSame(parseNatsUrl('tls://user:p%40ss@n1:4222,tls://user:p%40ss@n2:4222'), {
    servers: ['n1:4222', 'n2:4222'],
    isTls: true,
    user: 'user',
    password: 'p@ss',
  });
  t.strictSame(parseNatsUrl('nats://s3cr3t@[::1]:4222/'), {
    servers: ['[::1]:4222'],
    isTls: false,
    token: 's3cr3t',
  });
});

t.test('a malformed URL is refused without saying what stood in it', async (t) => {
  for (const url of [
    '',
    'nats://',
    'http://u:secret@a:4222',
    'u:secret@a:4222',
    'nats://u:secret@a:4222/path',
    'nats://u:secret@a:99999',
    'nats://u:secret@a:4222?x=secret',
    'nats://u:secret@a,nats://u:other@b',
  ]) {
    const error = t.throws(() => parseNatsUrl(url), url) as Error;
    t.notMatch(error.message, /secret|other/);
  }
});

t.test('a prefix stands before every subject and stream, and comes off again', async (t) => {
  const names = nameForNats('eu-1');
  t.equal(names.toServer('state.a'), 'eu-1.state.a');
  t.equal(names.fromServer('eu-1.state.a'), 'state.a');
  t.strictSame(names.events, { stream: 'eu-1_EVENTS', subject: 'eu-1.events.*' });
  t.strictSame(nameForNats('').records, { stream: 'RECORDS', subject: 'records' });
  for (const prefix of ['a.b', 'a b', '*', '>', 'x'.repeat(65)])
    t.throws(() => nameForNats(prefix), /a NATS prefix has up to 64/, prefix);
});
