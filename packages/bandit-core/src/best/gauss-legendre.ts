/** Nodes of one integration piece on [-1, 1], with the rules that turn values at them into integrals. */
export interface IntegrationRule {
  /** shape [n], ascending in (-1, 1) */
  readonly nodes: Float64Array;
  /** shape [n]: integral over [-1, 1] = sum weights f; exact for polynomials up to degree 2n - 1 */
  readonly weights: Float64Array;
  /** shape [n * n], row major: row i integrates the interpolant of f from -1 to node i */
  readonly cumulative: Float64Array;
}

/**
 * Gauss-Legendre rule with its matrix of running integrals.
 *
 * With f = sum_k c_k P_k and c_k = (2k + 1)/2 sum_j w_j P_k(x_j) f(x_j), the running integral is
 * sum_k c_k (P_(k+1)(x) - P_(k-1)(x)) / (2k + 1), and x + 1 for k = 0.
 *
 * @param n 2 … 64
 * Source: Press et al., Numerical Recipes, 3rd ed. (2007), 4.6 (nodes by Newton's method on P_n).
 */
export function gaussLegendre(n: number): IntegrationRule {
  const nodes = new Float64Array(n);
  const weights = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let x = -Math.cos((Math.PI * (i + 0.75)) / (n + 0.5));
    let slope = 0;
    for (let step = 0; step < 100; step++) {
      const p = legendre(n, x);
      slope = (n * (x * p[n]! - p[n - 1]!)) / (x * x - 1);
      const dx = p[n]! / slope;
      x -= dx;
      if (Math.abs(dx) < 1e-16) break;
    }
    nodes[i] = x;
    weights[i] = 2 / ((1 - x * x) * slope * slope);
  }
  return { nodes, weights, cumulative: runningIntegrals(nodes, weights) };
}

function runningIntegrals(nodes: Float64Array, weights: Float64Array): Float64Array {
  const n = nodes.length;
  const values = Array.from(nodes, (x) => legendre(n + 1, x));
  const matrix = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = nodes[i]! + 1;
      for (let k = 1; k < n; k++) sum += values[j]![k]! * (values[i]![k + 1]! - values[i]![k - 1]!);
      matrix[i * n + j] = (weights[j]! / 2) * sum;
    }
  }
  return matrix;
}

/** P_0(x) … P_n(x) by the three-term recurrence. */
function legendre(n: number, x: number): Float64Array {
  const p = new Float64Array(n + 1);
  p[0] = 1;
  p[1] = x;
  for (let k = 1; k < n; k++) p[k + 1] = ((2 * k + 1) * x * p[k]! - k * p[k - 1]!) / (k + 1);
  return p;
}
