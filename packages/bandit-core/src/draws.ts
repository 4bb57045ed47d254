/** Draws from the normal, gamma and beta laws; used by simulations, never by a served decision. */
import type { Rng } from './policy.ts';

/** Standard normal by Marsaglia's polar method (1964); about 2.6 uniforms a draw. */
export function drawNormal(rng: Rng): number {
  for (;;) {
    const x = 2 * rng.uniform() - 1;
    const y = 2 * rng.uniform() - 1;
    const r2 = x * x + y * y;
    if (r2 < 1 && r2 > 0) return x * Math.sqrt((-2 * Math.log(r2)) / r2);
  }
}

/**
 * Gamma(shape, scale 1), shape > 0; about 1.03 rounds a draw.
 * Source: Marsaglia and Tsang, A simple method for generating gamma variables (2000); below 1 by their
 * Gamma(a) = Gamma(a + 1) U^(1/a).
 */
export function drawGamma(rng: Rng, shape: number): number {
  if (!(shape > 0 && shape < Infinity)) {
    throw new RangeError(`shape must be positive and finite, got ${shape}`);
  }
  if (shape < 1) return drawGamma(rng, shape + 1) * (1 - rng.uniform()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = drawNormal(rng);
    const cubeRoot = 1 + c * x;
    if (cubeRoot <= 0) continue;
    const v = cubeRoot * cubeRoot * cubeRoot;
    const u = 1 - rng.uniform();
    if (u < 1 - 0.0331 * x * x * x * x) return d * v;
    if (Math.log(u) < 0.5 * x * x + d * (1 - v + Math.log(v))) return d * v;
  }
}

/** Beta(alpha, beta), both > 0, as X / (X + Y) of two gammas; .5 in the rare case that both underflow to 0. */
export function drawBeta(rng: Rng, alpha: number, beta: number): number {
  const x = drawGamma(rng, alpha);
  const y = drawGamma(rng, beta);
  return x + y > 0 ? x / (x + y) : 0.5;
}
