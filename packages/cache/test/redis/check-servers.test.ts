import t from 'tap';
import { createServerCheck } from '../../src/redis/check-servers.ts';

async function linesFor(servers: readonly string[] | Error, isCluster = false): Promise<string[]> {
  const lines: string[] = [];
  const log = {
    info: () => undefined,
    warn: () => undefined,
    error: (_: object, m: string) => lines.push(m),
  };
  const describe = async () => {
    if (servers instanceof Error) throw servers;
    return [...servers];
  };
  const check = createServerCheck({ describe }, isCluster, log);
  await check();
  await check();
  return lines;
}

const server = (version: string, mode = 'standalone') =>
  `# Server\r\nredis_version:${version}\r\nredis_mode:${mode}\r\n`;

t.test('a server older than 7.0 is named once, a newer one never', async (t) => {
  t.strictSame(await linesFor([server('7.0.15')]), []);
  t.strictSame(await linesFor([server('10.1.0')]), []);
  t.match(await linesFor([server('6.2.14')]), [/^Redis is older than 7\.0/]);
  t.match(await linesFor([server('7.2.0', 'cluster'), server('6.2.0', 'cluster')], true), [
    /^Redis is older/,
  ]);
});

t.test('one node of a cluster given as a single server is named once', async (t) => {
  t.match(await linesFor([server('7.0.15', 'cluster')]), [/one node of a Redis Cluster/]);
  t.strictSame(await linesFor([server('7.0.15', 'cluster')], true), []);
});

t.test('without an answer nothing is said', async (t) => {
  t.strictSame(await linesFor(new Error('NOPERM')), []);
  t.strictSame(await linesFor(['']), []);
});
