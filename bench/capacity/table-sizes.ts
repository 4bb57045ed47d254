import type pg from 'pg';

export interface TableSize {
  readonly table: string;
  readonly rows: number;
  readonly heapBytes: number;
  readonly indexBytes: number;
}

/** Rows and bytes of each table with its partitions, largest first. */
export async function readTableSizes(client: pg.Client): Promise<TableSize[]> {
  const { rows } = await client.query<{ name: string; heap: string; indexes: string }>(`
    select coalesce(pg_partition_root(c.oid)::text, c.relname) as name, sum(pg_table_size(c.oid)) as heap,
      sum(pg_indexes_size(c.oid)) as indexes
    from pg_class c where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
    group by 1 order by sum(pg_total_relation_size(c.oid)) desc`);
  const sizes: TableSize[] = [];
  for (const { name, heap, indexes } of rows) {
    const count = await client.query<{ n: string }>(`select count(*) as n from ${name}`);
    sizes.push({
      table: name,
      rows: Number(count.rows[0]?.n),
      heapBytes: Number(heap),
      indexBytes: Number(indexes),
    });
  }
  return sizes;
}

/** Bytes of write-ahead log since the server was made. */
export async function readWalBytes(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ bytes: string }>(
    `select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') as bytes`,
  );
  return Number(rows[0]?.bytes);
}
