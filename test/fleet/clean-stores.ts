import { Redis } from 'ioredis';
import { connect } from 'nats';
import pg from 'pg';

/** Takes what a fleet left behind out of stores that it shared with others: its streams, its companies' cached users. */
export async function cleanStores(stores: {
  readonly databaseUrl: string;
  readonly natsUrl: string;
  readonly natsPrefix: string;
  readonly redisUrl: string;
}): Promise<void> {
  await deleteStreams(stores.natsUrl, stores.natsPrefix);
  for (const companyId of await listCompanies(stores.databaseUrl))
    await forgetCompany(stores.redisUrl, companyId);
}

async function deleteStreams(url: string, prefix: string): Promise<void> {
  const connection = await connect({ servers: url.split(','), timeout: 5_000 });
  try {
    const { streams } = await connection.jetstreamManager();
    const names = await streams.names().next();
    for (const name of names) if (name.startsWith(`${prefix}_`)) await streams.delete(name);
  } finally {
    await connection.close();
  }
}

async function listCompanies(connectionString: string): Promise<string[]> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rows } = await client.query<{ id: string }>('select id from companies');
    return rows.map(({ id }) => id);
  } finally {
    await client.end();
  }
}

async function forgetCompany(url: string, companyId: string): Promise<void> {
  const redis = new Redis(url, { maxRetriesPerRequest: 1 });
  redis.on('error', () => undefined);
  try {
    const keys = redis.scanStream({ match: `assignment:${companyId}:*`, count: 1_000 });
    for await (const found of keys) if (found.length > 0) await redis.unlink(...(found as string[]));
  } finally {
    redis.disconnect();
  }
}
