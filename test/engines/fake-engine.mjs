/**
 * A process that looks like an engine to an engine host, for tests of the host alone: `node fake-engine.mjs PORT MODE`. It answers
 * /health, /v1/models (`demo`), /metrics, and holds each GET of /hold open for the given milliseconds.
 * Modes: `drain` finishes on TERM, `stubborn` ignores TERM, `crash-on-term` dies on it, `with-child` leaves a deaf child in its group,
 * `exit` ends at once, `late-exit` ends after a second.
 */
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';

const [port, mode] = process.argv.slice(2);
const open = new Set();

if (mode === 'exit') {
  console.log('out of memory, as it were');
  process.exit(3);
}
if (mode === 'late-exit') setTimeout(() => process.exit(4), 1000);
if (mode === 'with-child') {
  const deaf = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)';
  // No environment to be known by, as vLLM's workers.
  spawn(process.execPath, ['-e', deaf], { stdio: 'inherit', env: {} });
}

const server = createServer((req, res) => {
  const url = new URL(req.url, 'http://engine');
  if (url.pathname === '/health') res.end();
  else if (url.pathname === '/v1/models') res.end(JSON.stringify({ object: 'list', data: [{ id: 'demo' }] }));
  else if (url.pathname === '/metrics')
    res.end(`vllm:num_requests_running{engine="0"} ${open.size}\nvllm:num_requests_waiting{engine="0"} 0\n`);
  else if (url.pathname === '/hold') {
    open.add(res);
    setTimeout(
      () => {
        open.delete(res);
        res.end('done');
      },
      Number(url.searchParams.get('ms')),
    );
  } else res.writeHead(404).end();
});
server.on('error', (error) => {
  console.log(String(error));
  process.exit(1);
});
server.listen(Number(port), '127.0.0.1');

process.on('SIGTERM', () => {
  console.log('TERM');
  if (mode === 'stubborn') return;
  if (mode === 'crash-on-term') process.exit(9);
  setInterval(() => open.size === 0 && process.exit(0), 10);
});
