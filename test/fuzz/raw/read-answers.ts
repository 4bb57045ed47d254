/** One HTTP answer as it stood on the wire. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Takes the answers of one connection apart by their framing. What is left over (`rest`) is no answer: half of one where
 * the connection was cut, and a fault where it was not.
 */
export function readAnswers(received: string): { answers: RawAnswer[]; rest: string } {
  const answers: RawAnswer[] = [];
  let rest = received;
  for (;;) {
    const next = readOne(rest);
    if (next === undefined) return { answers, rest };
    if (next.answer.status >= 200) answers.push(next.answer);
    rest = next.rest;
  }
}

function readOne(text: string): { answer: RawAnswer; rest: string } | undefined {
  const head = /^HTTP\/1\.1 (\d{3})[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n/.exec(text);
  if (head === null) return undefined;
  const headers: Record<string, string> = {};
  for (const [, name, value] of (head[2] ?? '').matchAll(/^([^:\r\n]+):[ \t]*([^\r\n]*)\r$/gm))
    headers[(name as string).toLowerCase()] = value as string;
  const framed = readBody(text.slice(head[0].length), Number(head[1]), headers);
  return framed && { answer: { status: Number(head[1]), headers, body: framed.body }, rest: framed.rest };
}

function readBody(
  text: string,
  status: number,
  headers: Readonly<Record<string, string>>,
): { body: string; rest: string } | undefined {
  if (status < 200 || status === 204 || status === 304) return { body: '', rest: text };
  if (headers['transfer-encoding'] === 'chunked') return readChunks(text);
  const length = Number(headers['content-length'] ?? text.length);
  return text.length < length ? undefined : { body: text.slice(0, length), rest: text.slice(length) };
}

function readChunks(text: string): { body: string; rest: string } | undefined {
  let body = '';
  let at = 0;
  for (;;) {
    const line = /^([0-9a-f]+)\r\n/i.exec(text.slice(at, at + 20));
    if (line === null) return undefined;
    const size = Number.parseInt(line[1] as string, 16);
    const from = at + line[0].length;
    body += text.slice(from, from + size);
    at = from + size + 2;
    if (text.length < at) return undefined;
    if (size === 0) return { body, rest: text.slice(at) };
  }
}
