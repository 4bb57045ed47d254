// What the image's HEALTHCHECK runs: the process answers. Not /readyz: a service that waits for a store must not be
// killed for it. Plain JavaScript, so that it starts in 60 ms and needs nothing that is installed.
const port = process.env.PORT || '3000';
try {
  const answer = await fetch(`http://127.0.0.1:${port}/livez`, { signal: AbortSignal.timeout(2_000) });
  process.exitCode = answer.ok ? 0 : 1;
} catch {
  process.exitCode = 1;
}
