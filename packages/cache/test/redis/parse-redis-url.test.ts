import t from 'tap';
import { parseRedisUrl } from '../../src/redis/parse-redis-url.ts';

const plain = { isTls: false, isCluster: false, username: undefined, password: undefined, db: 0 };

t.test('one URL is a server, several are the seeds of a cluster', async (t) => {
  t.strictSame(parseRedisUrl('redis://h'), { ...plain, seeds: [{ host: 'h', port: 6379 }] });
  t.strictSame(parseRedisUrl('rediss://u:p%40%2C@[::1]:7000/12'), {
    seeds: [{ host: '::1', port: 7000 }],
    isTls: true,
    isCluster: false,
    username: 'u',
    password: 'p@,',
    db: 12,
  });
  t.strictSame(parseRedisUrl('redis://:p@a:1, redis://:p@b:2/'), {
    ...plain,
    isCluster: true,
    password: 'p',
    seeds: [
      { host: 'a', port: 1 },
      { host: 'b', port: 2 },
    ],
  });
});

t.test('what is wrong is named by its place, never by its text', async (t) => {
  for (const [url, complaint] of [
    ['', /URL 1 must be redis/],
    ['http://s3cret@h', /URL 1 must be redis/],
    ['redis://:s3cret@h:99999', /URL 1 must be redis/],
    ['redis://:s3cret@h,', /URL 2 must be redis/],
    ['redis://:s3cret@h/x', /URL 1 must have a database number/],
    ['redis://:s3cret@h?a=b', /no query/],
    ['redis://s3cret@h', /a user without a password/],
    ['redis://:s3cret%zz@h', /percent-encoded/],
    ['redis://:s3cret@h,redis://i', /URL 2 must have the scheme, user and password/],
    ['redis://:s3cret@h,redis://:s3cret@i/1', /URL 2 names database 1/],
  ] as const) {
    t.throws(() => parseRedisUrl(url), { message: complaint }, url);
    try {
      parseRedisUrl(url);
    } catch (error) {
      t.notMatch(JSON.stringify([error, (error as Error).message]), /s3cret/);
    }
  }
});
