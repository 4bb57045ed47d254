/** Thread of the embedded database: PGlite and its socket server. Started by startEmbedded only. */
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import { startSocketServer } from './socket-server.ts';
import type { WorkerCommand, WorkerInput, WorkerReport } from './worker-messages.ts';

const port = parentPort;
if (port === null) throw new Error('embedded/worker.ts runs as a worker thread only');
const report = (message: WorkerReport) => port.postMessage(message);

try {
  await serve(workerData as WorkerInput);
} catch (error) {
  report({ kind: 'failed', message: describe(error) });
  process.exit(1);
}

async function serve(input: WorkerInput): Promise<void> {
  const lite = await openCluster(input);
  // Copied: PGlite answers with a view of a buffer that its next answer overwrites.
  const run = async (bytes: Uint8Array) => (await lite.execProtocolRaw(bytes)).slice();
  const server = await startSocketServer(input.socketPath, run, (error) => {
    report({ kind: 'failed', message: describe(error) });
    process.exit(1);
  });
  port?.on('message', (command: WorkerCommand) => void obey(command));
  report({ kind: 'ready' });

  const obey = async (command: WorkerCommand) => {
    await server.close();
    if (command === 'dump') {
      await lite.exec('checkpoint');
      const dump = await lite.dumpDataDir('none');
      report({ kind: 'dumped', template: new Uint8Array(await dump.arrayBuffer()) });
    }
    // Closing PGlite shuts Postgres down in order: it ends with a checkpoint.
    await lite.close();
    report({ kind: 'closed' });
    process.exit(0);
  };
}

/** What the server throws when it exits is no Error, but carries a message. */
function describe(error: unknown): string {
  const message = (error as { message?: unknown } | null | undefined)?.message;
  return typeof message === 'string' ? message : String(error);
}

async function openCluster({ clusterDir, template }: WorkerInput): Promise<PGlite> {
  const loadDataDir =
    template === undefined ? {} : { loadDataDir: new Blob([template as Uint8Array<ArrayBuffer>]) };
  // In memory (tests) a cluster is small and short-lived: 1 MB of log at a time instead of 16.
  if (clusterDir === undefined)
    return PGlite.create({ dataDir: 'memory://', initDbStartParams: ['--wal-segsize=1'], ...loadDataDir });
  if (!existsSync(clusterDir)) await initialise(clusterDir, loadDataDir);
  return PGlite.create({ dataDir: clusterDir });
}

/** The cluster appears under its name only when it is whole: a start that is killed half way begins again. */
async function initialise(clusterDir: string, loadDataDir: { loadDataDir?: Blob }): Promise<void> {
  const parent = dirname(clusterDir);
  const prefix = `${basename(clusterDir)}.new`;
  for (const name of readdirSync(parent))
    if (name.startsWith(prefix)) rmSync(join(parent, name), { recursive: true, force: true });
  const fresh = join(parent, prefix);
  const lite = await PGlite.create({ dataDir: fresh, ...loadDataDir });
  await lite.close();
  renameSync(fresh, clusterDir);
}
