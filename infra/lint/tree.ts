import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { configSchema } from '../../packages/config/src/schema.ts';
import { collectMetricNames } from './metric-names.ts';

// biome-ignore lint/suspicious/noExplicitAny: what stands in YAML may be anything; the rules say what it must be.
export type Value = any;

export interface Document {
  readonly file: string;
  readonly value: Value;
}

/** What the rules look at: the files of infra, parsed, and what the code says that they must agree with. */
export interface Tree {
  readonly root: string;
  readonly unreadable: readonly string[];
  readonly nDocuments: number;
  documentsUnder(folder: string): readonly Document[];
  has(path: string): boolean;
  read(path: string): string;
  /** Environment variables that the platform knows. */
  readonly variables: ReadonlySet<string>;
  /** Metrics that the code exports. */
  readonly metrics: ReadonlySet<string>;
}

export function openTree(root: string): Tree {
  const files = globSync(['infra/**/*.{yaml,yml,json}'], { cwd: root, exclude: ['**/node_modules/**'] })
    .map((file) => file.replaceAll('\\', '/'))
    .sort();
  const unreadable: string[] = [];
  const documents = files.flatMap((file) => parse(root, file, unreadable));
  return {
    root,
    unreadable,
    nDocuments: documents.length,
    documentsUnder: (folder) => documents.filter(({ file }) => file.startsWith(folder)),
    has: (path) => existsSync(join(root, path)),
    read: (path) => readFileSync(join(root, path), 'utf8'),
    variables: new Set(Object.keys(configSchema.properties)),
    metrics: collectMetricNames(readSources(root)),
  };
}

function parse(root: string, file: string, unreadable: string[]): Document[] {
  const text = readFileSync(join(root, file), 'utf8');
  // `<<` of compose is YAML 1.1's.
  return parseAllDocuments(text, { merge: true, uniqueKeys: true }).flatMap((document: Value) => {
    for (const error of document.errors) unreadable.push(`${file}: ${String(error.message).split('\n')[0]}`);
    const value = document.errors.length > 0 ? undefined : document.toJS();
    return value == null ? [] : [{ file, value }];
  });
}

function readSources(root: string): string[] {
  const patterns = ['services/*/src/**/*.ts', 'packages/*/src/**/*.ts', 'infra/{local,fleet}/**/*.ts'];
  return globSync(patterns, { cwd: root, exclude: ['**/node_modules/**', '**/test/**'] }).map((file) =>
    readFileSync(join(root, file), 'utf8'),
  );
}
