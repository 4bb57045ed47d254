import type { CommonConfig, PolicySpec } from './options.ts';
import type { Algorithm } from './policy.ts';

/** A configuration with every default filled in and every range checked, whatever the algorithm. */
export interface ResolvedOptions {
  readonly algorithm: Algorithm;
  readonly reward: 'binary' | 'numeric';
  /** Seconds; 0 = no limit. */
  readonly attributionWindow: number;
  /** Undefined: the algorithm's default for the number of live arms, see `defaultFloor`. */
  readonly explorationFloor: number | undefined;
  readonly valueRange: readonly [number, number] | undefined;
  readonly discount: number;
  readonly epsilon: number;
  /** c of min(1, cK/t); undefined: `epsilon` stays constant. */
  readonly decay: number | undefined;
  readonly variant: 'ucb1' | 'tuned' | 'kl';
  readonly prior: { readonly alpha: number; readonly beta: number };
  readonly explorer: 'squarecb' | 'thompson';
  readonly gammaScale: number;
  readonly regularization: number;
}

const commonNames = ['reward', 'attributionWindow', 'explorationFloor', 'valueRange'];
const optionNames: Record<Algorithm, readonly string[]> = {
  EPSILON_GREEDY: [...commonNames, 'discount', 'epsilon', 'decay'],
  UCB1: [...commonNames, 'discount', 'variant'],
  THOMPSON_SAMPLING: [...commonNames, 'discount', 'prior'],
  LINEAR_CONTEXTUAL: [...commonNames, 'explorer', 'gammaScale', 'regularization'],
  NEURAL_CONTEXTUAL: [...commonNames, 'explorer', 'gammaScale', 'regularization'],
};
const secondsMax = 30 * 24 * 3600;

/**
 * Fills in the defaults and checks the ranges of one algorithm's configuration.
 *
 * @returns options of all five algorithms; those that the algorithm does not have keep their defaults unused
 * @throws RangeError naming the option, the value received and what is allowed; also for an option that the
 *   algorithm does not have
 */
export function resolveOptions(spec: PolicySpec): ResolvedOptions {
  const config = checkNames(spec);
  return {
    algorithm: spec.algorithm,
    reward: oneOf(config, 'reward', ['binary', 'numeric']),
    attributionWindow: inRange(config, 'attributionWindow', 0, secondsMax) ?? 0,
    explorationFloor: inRange(config, 'explorationFloor', 0, 1),
    valueRange: valueRangeOf(config),
    discount: inRange(config, 'discount', 0.9, 1) ?? 1,
    epsilon: inRange(config, 'epsilon', 0, 1) ?? 0.1,
    decay: above0(config, 'decay', 1e9),
    variant: oneOf(config, 'variant', ['ucb1', 'tuned', 'kl']),
    prior: priorOf(config),
    explorer: oneOf(config, 'explorer', ['squarecb', 'thompson']),
    gammaScale: above0(config, 'gammaScale', 1e9) ?? 100,
    regularization: above0(config, 'regularization', 1e9) ?? 3,
  };
}

type Untrusted = Readonly<Record<string, unknown>>;

function checkNames(spec: PolicySpec): Untrusted {
  const names = optionNames[spec.algorithm];
  if (!names) {
    throw new RangeError(
      `algorithm must be one of ${Object.keys(optionNames).join(', ')}, got ${show(spec.algorithm)}`,
    );
  }
  const config: Untrusted = { ...(spec.config as CommonConfig) };
  for (const name of Object.keys(config)) {
    if (!names.includes(name)) {
      throw new RangeError(`${spec.algorithm} has no option ${show(name)}; it has ${names.join(', ')}`);
    }
  }
  return config;
}

/** The first of `allowed` is the default. */
function oneOf<T extends string>(config: Untrusted, name: string, allowed: readonly T[]): T {
  const value = config[name] ?? allowed[0]!;
  if (!allowed.includes(value as T)) {
    throw new RangeError(`${name} must be one of ${allowed.join(', ')}, got ${show(value)}`);
  }
  return value as T;
}

function inRange(config: Untrusted, name: string, low: number, high: number): number | undefined {
  const value = config[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !(value >= low && value <= high)) {
    throw new RangeError(`${name} must be between ${low} and ${high}, got ${show(value)}`);
  }
  return value;
}

function above0(config: Untrusted, name: string, high: number): number | undefined {
  const value = config[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !(value > 0 && value <= high)) {
    throw new RangeError(`${name} must be above 0 and at most ${high}, got ${show(value)}`);
  }
  return value;
}

function valueRangeOf(config: Untrusted): [number, number] | undefined {
  const value = config.valueRange;
  if (value === undefined) return undefined;
  const [low, high] = Array.isArray(value) && value.length === 2 ? (value as unknown[]) : [];
  const isNumbers = typeof low === 'number' && typeof high === 'number';
  if (!isNumbers || !(Math.abs(low) <= 1e12 && Math.abs(high) <= 1e12 && low < high)) {
    throw new RangeError(
      `valueRange must be [low, high] with -1e12 <= low < high <= 1e12, got ${show(value)}`,
    );
  }
  return [low, high];
}

function priorOf(config: Untrusted): { alpha: number; beta: number } {
  const value = config.prior;
  if (value === undefined) return { alpha: 1, beta: 1 };
  const counts = typeof value === 'object' && value !== null ? (value as Untrusted) : {};
  const unknown = Object.keys(counts).find((name) => name !== 'alpha' && name !== 'beta');
  if (unknown !== undefined) throw new RangeError(`prior has alpha and beta only, got ${show(unknown)}`);
  const alpha = above0(counts, 'alpha', 1e6);
  const beta = above0(counts, 'beta', 1e6);
  if (alpha === undefined || beta === undefined) {
    throw new RangeError(`prior must be {alpha, beta}, each above 0 and at most 1000000, got ${show(value)}`);
  }
  return { alpha, beta };
}

function show(value: unknown): string {
  return typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value));
}
