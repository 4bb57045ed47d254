/** Folders whose files keep the whole machine busy: processes, clusters of stores, faults that are timed. */
const heavyFolders = /^test\/(fleet|clusters|degraded|processes)\//;
/** Anywhere else a file is heavy when it starts a fleet, which its name tells, or says so in its first lines. */
const heavyName = /(^|\/)fleet\.test\.ts$/;
const declaration = /\bRuns alone: \S/;
const declarationCharsMax = 1_000;

export interface RunPlan {
  /** Several at a time. */
  readonly light: readonly string[];
  /** One at a time, after the others: two of them would starve each other's timings. */
  readonly heavy: readonly string[];
}

/** @param readText the text of a file, for its declaration */
export function planRuns(files: readonly string[], readText: (file: string) => string): RunPlan {
  const isHeavy = (file: string): boolean =>
    heavyFolders.test(file) ||
    heavyName.test(file) ||
    declaration.test(readText(file).slice(0, declarationCharsMax));
  const heavy = new Set(files.filter(isHeavy));
  return { light: files.filter((file) => !heavy.has(file)), heavy: [...heavy] };
}

/** Runs the light ones `jobs` at a time and then the heavy ones, each when nothing else runs. */
export async function runPlan<T>(
  { light, heavy }: RunPlan,
  jobs: number,
  run: (file: string) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  const queue = [...light];
  const worker = async (): Promise<void> => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) results.push(await run(file));
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  for (const file of heavy) results.push(await run(file));
  return results;
}
