import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Context, ContextValue } from '@bandit/core';

export interface LabelledRow {
  readonly context: Context;
  /** Position of the row's label among the sorted labels. */
  readonly arm: number;
}

/**
 * Reads a CSV (gzip or plain) with a `label` column. A column whose cells are all numbers is numeric, all true or false
 * boolean, else strings; empty cells of numeric and boolean columns are missing keys.
 */
export function readLabelledRows(file: string): { rows: LabelledRow[]; labels: string[] } {
  const [header, ...records] = parseCsv(readText(file));
  if (!header?.includes('label'))
    throw new Error(`${file} must have a column label, got ${header?.join(',')}`);
  const labelColumn = header.indexOf('label');
  const labels = [...new Set(records.map((record) => record[labelColumn]!))].sort();
  const armOf = new Map(labels.map((label, arm) => [label, arm]));
  const columns = header.flatMap((name, at) =>
    at === labelColumn ? [] : [{ name, at, read: readerOf(records, at) }],
  );
  const rows = records.map((record) => {
    const context: Record<string, ContextValue> = {};
    for (const { name, at, read } of columns) {
      const value = read(record[at] ?? '');
      if (value !== undefined) context[name] = value;
    }
    return { context, arm: armOf.get(record[labelColumn]!)! };
  });
  return { rows, labels };
}

/** Row numbers in the order of column `seed<seed>`. */
export function readOrder(file: string, seed: number, nRows: number): number[] {
  const [header, ...records] = parseCsv(readText(file));
  const column = header!.indexOf(`seed${seed}`);
  if (column < 0) throw new Error(`${file} must have a column seed${seed}, got ${header!.join(',')}`);
  return records.map((record) => {
    const row = Number(record[column]);
    if (!Number.isInteger(row) || row < 0 || row >= nRows) {
      throw new Error(`${file} must hold row numbers 0 to ${nRows - 1}, got ${record[column]}`);
    }
    return row;
  });
}

export function readText(file: string): string {
  const bytes = readFileSync(file);
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return (isGzip ? gunzipSync(bytes) : bytes).toString('utf8');
}

type CellReader = (cell: string) => ContextValue | undefined;

function readerOf(records: readonly string[][], at: number): CellReader {
  const cells = records.map((record) => record[at] ?? '').filter((cell) => cell !== '');
  if (cells.length > 0 && cells.every(isNumber)) return (cell) => (cell === '' ? undefined : Number(cell));
  if (cells.length > 0 && cells.every((cell) => cell === 'true' || cell === 'false')) {
    return (cell) => (cell === '' ? undefined : cell === 'true');
  }
  return (cell) => cell;
}

function isNumber(cell: string): boolean {
  return cell.trim() !== '' && Number.isFinite(Number(cell));
}

/** RFC 4180: quoted cells may hold commas, line ends and doubled quotes. Empty lines are left out. */
export function parseCsv(text: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/gy;
  for (let match = cell.exec(text); match !== null; match = cell.exec(text)) {
    record.push(match[1]?.replaceAll('""', '"') ?? match[2]!);
    if (match[3] === ',') continue;
    if (record.length > 1 || record[0] !== '') records.push(record);
    record = [];
    if (cell.lastIndex >= text.length) break;
  }
  return records;
}
