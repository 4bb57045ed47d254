import pg from 'pg';

const oids = { int8: 20, int8Array: 1016, numeric: 1700, numericArray: 1231, date: 1082, dateArray: 1182 };

const textArray = pg.types.getTypeParser(1009 as number) as (text: string) => (string | null)[];
const numberArray = (text: string) => textArray(text).map((item) => (item === null ? null : Number(item)));

const ours = new Map<number, (text: string) => unknown>([
  [oids.int8, Number],
  [oids.int8Array, numberArray],
  // Sums of int8 are numeric in Postgres.
  [oids.numeric, Number],
  [oids.numericArray, numberArray],
  // A day has no time zone; the driver would make it midnight of this machine's.
  [oids.date, (text) => text],
  [oids.dateArray, textArray],
]);

/**
 * The driver's parsers with int8 and numeric as numbers (counts and batches stay below 2^53: 42 bits of transaction
 * id leave 11 for the log's epoch) and dates as text.
 */
export const typeParsers: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    (format !== 'binary' ? ours.get(oid) : undefined) ??
    pg.types.getTypeParser(oid, format as 'text')) as pg.CustomTypesConfig['getTypeParser'],
};
