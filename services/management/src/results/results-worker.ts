/** The thread behind `createResultsThread`: one answer per message, in order. */
import { parentPort } from 'node:worker_threads';
import { buildResults, type ResultsInput } from './build-results.ts';
import type { ResultsReply } from './results-thread.ts';

parentPort?.on('message', ({ id, input }: { id: number; input: ResultsInput }) => {
  parentPort?.postMessage(answer(id, input));
});

function answer(id: number, input: ResultsInput): ResultsReply {
  try {
    return { id, results: buildResults(input) };
  } catch (error) {
    return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
