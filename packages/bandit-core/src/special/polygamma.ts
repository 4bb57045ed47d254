/** psi(x) = d/dx ln Gamma(x), x > 0; absolute error about 1e-12 (recurrence to x >= 10, then Bernoulli series). */
export function digamma(x: number): number {
  let shifted = x;
  let value = 0;
  while (shifted < 10) {
    value -= 1 / shifted;
    shifted += 1;
  }
  const y = 1 / (shifted * shifted);
  return value + Math.log(shifted) - 0.5 / shifted - y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y / 240)));
}

/** psi'(x), x > 0; the variance of ln X when X is Gamma(x). Relative error about 1e-10. */
export function trigamma(x: number): number {
  let shifted = x;
  let value = 0;
  while (shifted < 10) {
    value += 1 / (shifted * shifted);
    shifted += 1;
  }
  const y = 1 / (shifted * shifted);
  return value + (1 + 0.5 / shifted + y * (1 / 6 - y * (1 / 30 - y * (1 / 42 - y / 30)))) / shifted;
}
