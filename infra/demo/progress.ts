/** One line about how far the visits are: rewritten in place on a terminal, a new line every few seconds elsewhere. */
export interface Progress {
  /** One more visit is done. */
  step(): void;
  /** Ends the line; nothing is written afterwards. */
  close(): void;
}

const terminalIntervalMs = 250;
const lineIntervalMs = 5_000;

export function createProgress(
  stream: NodeJS.WritableStream & { isTTY?: boolean },
  nVisits: number,
  nowMs: () => number,
): Progress {
  const isTerminal = stream.isTTY === true;
  const intervalMs = isTerminal ? terminalIntervalMs : lineIntervalMs;
  let nDone = 0;
  let startedAtMs: number | undefined;
  let writtenAtMs = 0;
  let isOpen = false;

  function write(now: number): void {
    const seconds = (now - (startedAtMs ?? now)) / 1_000;
    const rate = seconds > 0 ? nDone / seconds : 0;
    const left = rate > 0 ? ` · ${Math.ceil((nVisits - nDone) / rate)} s left` : '';
    const line = `${nDone} of ${nVisits} visitors · ${rate.toFixed(0)}/s${left}`;
    stream.write(isTerminal ? `\r${line.padEnd(70)}` : `${line}\n`);
    isOpen = isTerminal;
    writtenAtMs = now;
  }

  return {
    step() {
      const now = nowMs();
      startedAtMs ??= now;
      nDone += 1;
      if (now - writtenAtMs >= intervalMs || nDone === nVisits) write(now);
    },
    close() {
      if (isOpen) stream.write('\n');
      isOpen = false;
    },
  };
}
