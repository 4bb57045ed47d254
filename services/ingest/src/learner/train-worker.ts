/** Worker thread: trains one network per message, so that learning and serving go on beside it. */
import { parentPort } from 'node:worker_threads';
import { type TrainingJob, trainNetwork } from '@bandit/core';

parentPort?.on('message', (job: TrainingJob) => {
  parentPort?.postMessage(trainNetwork(job));
});
