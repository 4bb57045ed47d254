/**
 * Subjects are tokens joined by dots; a pattern may end in `*`, which stands for exactly one token.
 *
 * @throws on an empty token, a space, or a wildcard anywhere else
 */
export function checkSubject(subject: string, options: { mayEndInWildcard: boolean }): void {
  const tokens = subject.split('.');
  tokens.forEach((token, index) => {
    const isLast = index === tokens.length - 1;
    if (token === '*' && isLast && options.mayEndInWildcard) return;
    if (!/^[^\s.*>]+$/.test(token))
      throw new Error(
        `a subject is tokens joined by dots${options.mayEndInWildcard ? ', the last may be *' : ''}, got "${subject}"`,
      );
  });
}

/** Every pattern that can match this subject: itself, and itself with `*` as its last token. */
export function patternsOf(subject: string): readonly [string, string] {
  const lastDot = subject.lastIndexOf('.');
  return [subject, lastDot < 0 ? '*' : `${subject.slice(0, lastDot)}.*`];
}
