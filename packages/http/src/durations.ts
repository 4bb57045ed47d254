interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** Observations by bucket, the last one for what is above every bound. */
  readonly counts: Float64Array;
  sum: number;
}

/**
 * A histogram for the request path, in the form that a prom-client registry reads. prom-client's own checks
 * and hashes the labels with every observation (0.5 µs where this takes 0.03); here a series is made once.
 */
export class Durations {
  readonly name: string;
  readonly help: string;
  readonly #bounds: readonly number[];
  readonly #series: Series[] = [];

  /** @param bounds upper bounds in seconds, ascending */
  constructor(name: string, help: string, bounds: readonly number[]) {
    this.name = name;
    this.help = help;
    this.#bounds = bounds;
  }

  /** @param labels bounded values only: every series is kept for ever */
  createSeries(labels: Readonly<Record<string, string>>): (seconds: number) => void {
    const series: Series = { labels, counts: new Float64Array(this.#bounds.length + 1), sum: 0 };
    this.#series.push(series);
    const bounds = this.#bounds;
    return (seconds) => {
      let i = 0;
      while (i < bounds.length && seconds > (bounds[i] as number)) i += 1;
      series.counts[i] = (series.counts[i] as number) + 1;
      series.sum += seconds;
    };
  }

  /** What the registry asks for. */
  get() {
    const values = this.#series.flatMap((series) => this.#present(series));
    return Promise.resolve({
      name: this.name,
      help: this.help,
      type: 'histogram',
      values,
      aggregator: 'sum' as const,
    });
  }

  reset(): void {
    for (const series of this.#series) {
      series.counts.fill(0);
      series.sum = 0;
    }
  }

  #present({ labels, counts, sum }: Series) {
    let total = 0;
    const buckets = [...this.#bounds, '+Inf'].map((bound, i) => {
      total += counts[i] as number;
      return { metricName: `${this.name}_bucket`, labels: { le: String(bound), ...labels }, value: total };
    });
    return [
      ...buckets,
      { metricName: `${this.name}_sum`, labels, value: sum },
      { metricName: `${this.name}_count`, labels, value: total },
    ];
  }
}
