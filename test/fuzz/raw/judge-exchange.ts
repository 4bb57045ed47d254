import { judgeAnswer } from '../judge-answer.ts';
import type { Exchange } from './exchange.ts';
import { readAnswers } from './read-answers.ts';

export interface Expectation {
  /** More answers than requests were sent: somebody took a body for a request. */
  readonly answersMax: number;
  /** What the first answer may be; the connection may end without one only when absent. */
  readonly status?: readonly number[] | undefined;
}

/** @returns what is wrong with all that came back on one connection, as sentences */
export function judgeExchange(seen: Exchange, { answersMax, status }: Expectation): string[] {
  const { answers, rest } = readAnswers(seen.received);
  const faults = answers.flatMap((answer) =>
    isBare(answer.body) ? [] : judgeAnswer({ ...answer, method: 'ANY', path: '/any', text: answer.body }),
  );
  const first = answers[0]?.status;
  if (seen.isHung) faults.push(`was not ended after ${(seen.openMs / 1_000).toFixed(0)} s`);
  if (answers.length > answersMax)
    faults.push(`got ${answers.length} answers: ${answers.map((answer) => answer.status)}`);
  if (status !== undefined && !status.includes(first ?? 0)) faults.push(`got ${first}, not ${status}`);
  if (rest !== '') faults.push(`got bytes that are no answer: ${JSON.stringify(rest.slice(0, 500))}`);
  return faults;
}

/** Health, metrics and the document of the API have no envelope; nor has an answer without a body. */
function isBare(body: string): boolean {
  return body === '' || !body.startsWith('{"success"');
}
