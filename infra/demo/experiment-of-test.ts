import type { HeadlineTest } from './headline-tests.ts';
import type { PlatformClient } from './platform-client.ts';

/** A headline test as the platform runs it. */
export interface RunningTest {
  readonly test: HeadlineTest;
  readonly experimentId: string;
  /** Headline index by treatment id. */
  readonly headlineOfTreatment: ReadonlyMap<string, number>;
}

/** Creates one Thompson sampling experiment, a treatment per headline, and activates it. */
export async function startExperiment(
  client: PlatformClient,
  test: HeadlineTest,
  number: number,
): Promise<RunningTest> {
  const experiment = (await client.manage('POST', '/experiments', {
    name: `Headline test ${number} (Upworthy ${test.week})`,
    description: `Replay of test ${test.id} of the Upworthy Research Archive with simulated visitors.`,
    algorithm: 'THOMPSON_SAMPLING',
    contentType: 'PLAIN_TEXT',
    treatments: test.headlines.map((headline, index) => ({
      name: `Headline ${index + 1}`,
      config: { content: headline },
      isControl: index === 0,
    })),
  })) as { id: string; treatments: { id: string; config: { content: string } }[] };
  await client.manage('PUT', `/experiments/${experiment.id}`, { status: 'ACTIVE' });
  const headlineOfTreatment = new Map(
    experiment.treatments.map(({ id, config }) => [id, test.headlines.indexOf(config.content)]),
  );
  return { test, experimentId: experiment.id, headlineOfTreatment };
}
