/** Bytes for one connection, and what may come of them. */
export interface HostileRequest {
  readonly name: string;
  readonly bytes: string;
  /** What the first answer may be; anything but an undecided 5xx when absent. */
  readonly status?: readonly number[];
  /** More than one whole request was sent. */
  readonly answersMax?: number;
  /** It stops in the middle, and this half of the connection with it. */
  readonly isHalf?: boolean;
}

export interface Marks {
  /** Header lines of a session that may write, each with its line end. */
  readonly session: string;
  /** Header line of an API key, with its line end. */
  readonly key: string;
  /** Name of the experiment that nobody may ever see made. */
  readonly smuggled: string;
}

const host = 'Host: a\r\n';
const json = 'Content-Type: application/json\r\n';
const big = 'x'.repeat(70_000);

/** Every way to say one thing to a gateway and another to what stands behind it, and what is simply too much. */
export function listHostileRequests(marks: Marks): HostileRequest[] {
  return [
    ...twoFramings(marks),
    ...bodiesThatAreRequests(marks),
    ...brokenChunks(marks),
    ...brokenHeads(),
    ...targetsAndVersions(),
    ...tooMuch(marks),
  ];
}

/** A whole request that makes an experiment: it must stay bytes of a body. */
function innerRequest({ session, smuggled }: Marks): string {
  const body = JSON.stringify({ name: smuggled, algorithm: 'UCB1' });
  return `POST /experiments HTTP/1.1\r\n${host}${session}${json}Content-Length: ${body.length}\r\n\r\n${body}`;
}

/** Two lengths for one body, or one that two servers could read differently: refused, the rest unread. */
function twoFramings(marks: Marks): HostileRequest[] {
  const inner = innerRequest(marks);
  const length = `Content-Length: ${inner.length + 5}\r\n`;
  const framings: [string, string][] = [
    ['a length and chunks', `${length}Transfer-Encoding: chunked\r\n`],
    ['chunks and a length', `Transfer-Encoding: chunked\r\n${length}`],
    ['chunked twice', `${length}Transfer-Encoding: chunked, chunked\r\n`],
    ['chunked and then identity', `${length}Transfer-Encoding: chunked, identity\r\n`],
    ['nearly chunked', `${length}Transfer-Encoding: xchunked\r\n`],
    ['chunked in quotes', `${length}Transfer-Encoding: "chunked"\r\n`],
    ['chunked after a vertical tab', `${length}Transfer-Encoding:\x0bchunked\r\n`],
    ['a space before the colon', `${length}Transfer-Encoding : chunked\r\n`],
    ['a folded header', `${length}X-Folded: a\r\n Transfer-Encoding: chunked\r\n`],
    ['a bare CR between headers', `${length}X-A: b\rTransfer-Encoding: chunked\r\n`],
    ['two lengths', `${length}Content-Length: 5\r\n`],
    ['lengths in a list', `Content-Length: 5, ${inner.length + 5}\r\n`],
    ['a signed length', `Content-Length: +${inner.length + 5}\r\n`],
    ['a negative length', 'Content-Length: -1\r\n'],
    ['a hexadecimal length', 'Content-Length: 0x10\r\n'],
    ['a length past 64 bits', 'Content-Length: 18446744073709551621\r\n'],
    ['an empty length', 'Content-Length:\r\n'],
  ];
  return framings.map(([name, lines]) => ({
    name,
    bytes: `POST /assignments HTTP/1.1\r\n${host}${json}${lines}\r\n0\r\n\r\n${inner}`,
    status: [400],
  }));
}

/** Rightly framed: the gateway must frame the body again as it is, on every method. */
function bodiesThatAreRequests(marks: Marks): HostileRequest[] {
  const inner = innerRequest(marks);
  const length = `Content-Length: ${inner.length}\r\n`;
  const chunked = `Transfer-Encoding: chunked\r\n`;
  const asChunk = `${inner.length.toString(16)}\r\n${inner}\r\n0\r\n`;
  const methods = ['GET', 'DELETE', 'PUT', 'POST', 'PATCH', 'OPTIONS', 'PROPFIND'];
  const paths = ['/assignments/unknown?userId=a', '/events/unknown', '/events', '/experiments/unknown'];
  const framed = methods.flatMap((method) =>
    paths.flatMap((path) => [
      {
        name: `${method} ${path} with a request as its body`,
        bytes: `${method} ${path} HTTP/1.1\r\n${host}${json}${length}\r\n${inner}`,
      },
      {
        name: `${method} ${path} with a request as its chunk`,
        bytes: `${method} ${path} HTTP/1.1\r\n${host}${json}${chunked}\r\n${asChunk}\r\n`,
      },
    ]),
  );
  const named: [string, string][] = [
    ['the length named by Connection', `Connection: content-length\r\n${length}\r\n${inner}`],
    ['the coding named by Connection', `Connection: transfer-encoding\r\n${chunked}\r\n${asChunk}\r\n`],
    ['a length in the trailer', `${chunked}\r\n${asChunk}Content-Length: 5\r\n\r\n`],
    ['a wish to go on', `Expect: 100-continue\r\n${length}\r\n${inner}`],
    ['another wish', `Expect: a-miracle\r\n${length}\r\n${inner}`],
    ['an upgrade', `Connection: Upgrade\r\nUpgrade: websocket\r\n${length}\r\n${inner}`],
    ['an upgrade to HTTP/2', `Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n${length}\r\n${inner}`],
  ];
  return [
    ...framed,
    ...named.map(([name, rest]) => ({ name, bytes: `POST /events HTTP/1.1\r\n${host}${json}${rest}` })),
  ];
}

/** Of a request that may be made: its body is waited for. */
function brokenChunks({ key }: Marks): HostileRequest[] {
  const chunks: [string, string][] = [
    ['a chunk size that is none', 'zz\r\n'],
    ['a chunk size with 0x', '0x5\r\nhello\r\n0\r\n\r\n'],
    ['a negative chunk size', '-5\r\nhello\r\n0\r\n\r\n'],
    ['a chunk size past 64 bits', `${'f'.repeat(17)}\r\nhello\r\n0\r\n\r\n`],
    ['a chunk longer than its size', '1\r\nhello\r\n0\r\n\r\n'],
    ['a line feed alone after a chunk size', '5\nhello\r\n0\r\n\r\n'],
    ['a line feed in a chunk extension', '5;a\nb\r\nhello\r\n0\r\n\r\n'],
    ['a chunk extension without end', `5;${big}\r\nhello\r\n0\r\n\r\n`],
    ['a trailer without end', `0\r\nX-Trailer: ${big}\r\n\r\n`],
    ['chunks that stop', '5\r\nhel'],
  ];
  return chunks.map(([name, rest]) => ({
    name,
    bytes: `POST /assignments HTTP/1.1\r\n${host}${key}${json}Transfer-Encoding: chunked\r\n\r\n${rest}`,
    status: [400, 413, 431],
    isHalf: name.endsWith('stop'),
  }));
}

function brokenHeads(): HostileRequest[] {
  const heads: [string, string][] = [
    ['line feeds alone', 'GET /experiments HTTP/1.1\nHost: a\n\n'],
    ['a NUL in a header', `GET /experiments HTTP/1.1\r\n${host}X-A: a\0b\r\n\r\n`],
    ['a header without a colon', `GET /experiments HTTP/1.1\r\n${host}nothing\r\n\r\n`],
    ['a header without a name', `GET /experiments HTTP/1.1\r\n${host}: a\r\n\r\n`],
    ['a header name with a space', `GET /experiments HTTP/1.1\r\n${host}X A: b\r\n\r\n`],
    ['no Host', 'GET /experiments HTTP/1.1\r\n\r\n'],
    ['a head that stops', `GET /experiments HTTP/1.1\r\n${host}X-A`],
    ['garbage', 'HELLO\r\n\r\n'],
    ['a TLS greeting', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['NULs', '\0'.repeat(4_096)],
  ];
  return heads.map(([name, bytes]) => ({ name, bytes, status: [400], isHalf: name.endsWith('stops') }));
}

function targetsAndVersions(): HostileRequest[] {
  const lines: [string, string][] = [
    ['an absolute target', 'GET http://elsewhere.example/experiments HTTP/1.1'],
    ['an absolute target of a socket', 'GET http://unix:/tmp/x.sock:/experiments HTTP/1.1'],
    ['an absolute target of metadata', 'GET http://169.254.169.254/latest/meta-data HTTP/1.1'],
    ['a tunnel', 'CONNECT 127.0.0.1:5432 HTTP/1.1'],
    ['a star', 'OPTIONS * HTTP/1.1'],
    ['a target without a slash', 'GET experiments HTTP/1.1'],
    ['two slashes', 'GET //elsewhere.example/experiments HTTP/1.1'],
    ['dots', 'GET /../../etc/passwd HTTP/1.1'],
    ['dots that are encoded', 'GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1'],
    ['a space in the target', 'GET /experiments /x HTTP/1.1'],
    ['a fragment', 'GET /experiments#/x HTTP/1.1'],
    ['a byte past ASCII', 'GET /experiments/\xff HTTP/1.1'],
    ['a broken escape', 'GET /experiments/%zz HTTP/1.1'],
    ['HTTP/1.0', 'GET /experiments HTTP/1.0'],
    ['HTTP/0.9', 'GET /experiments'],
    ['HTTP/1.2', 'GET /experiments HTTP/1.2'],
    ['HTTP/9.9', 'GET /experiments HTTP/9.9'],
    ['a method that is none', 'BREW /experiments HTTP/1.1'],
    ['a method in small letters', 'get /experiments HTTP/1.1'],
    ['TRACE', 'TRACE /experiments HTTP/1.1'],
  ];
  // 0: the connection was cut, which is what a tunnel gets.
  const refusals = [0, 400, 401, 404, 405, 505];
  return lines.map(([name, line]) => ({ name, bytes: `${line}\r\n${host}\r\n`, status: refusals }));
}

function tooMuch({ key }: Marks): HostileRequest[] {
  const mebibyte = 1_048_576;
  const post = `POST /assignments HTTP/1.1\r\n${host}${key}${json}`;
  const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
  const manyHeaders = Array.from({ length: 3_000 }, (_, i) => `X-${i}: a\r\n`).join('');
  const pipelined = `GET /livez HTTP/1.1\r\n${host}\r\n`.repeat(200);
  return [
    {
      name: 'a body above its limit',
      bytes: `${post}Content-Length: ${9 * mebibyte}\r\n\r\n${'x'.repeat(2 * mebibyte)}`,
      status: [413],
    },
    {
      name: 'chunks above the limit of a body',
      bytes: `${post}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(48)}0\r\n\r\n`,
      status: [413],
    },
    { name: 'a header too large', bytes: `${post}X-Big: ${big}\r\n\r\n`, status: [431] },
    { name: 'too many headers', bytes: `${post}${manyHeaders}\r\n`, status: [400, 431] },
    { name: 'a URL too long', bytes: `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n${host}\r\n`, status: [400] },
    {
      name: 'two hundred at once, then garbage',
      bytes: `${pipelined}GARBAGE\r\n\r\n`,
      status: [200],
      answersMax: 201,
    },
  ];
}
