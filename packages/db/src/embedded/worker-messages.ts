/** What startEmbedded and its worker say to each other. */
export interface WorkerInput {
  /** Folder of the cluster; undefined keeps it in memory (tests). */
  readonly clusterDir?: string;
  /** A dumped cluster (tar) to start from instead of initdb. */
  readonly template?: Uint8Array;
  readonly socketPath: string;
}

export type WorkerReport =
  | { readonly kind: 'ready' }
  | { readonly kind: 'closed' }
  | { readonly kind: 'dumped'; readonly template: Uint8Array }
  | { readonly kind: 'failed'; readonly message: string };

export type WorkerCommand = 'close' | 'dump';
