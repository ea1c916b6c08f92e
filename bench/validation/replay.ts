/** A client that sends the scenario's requests in real time, each at its arrival, and measures what comes back. */
import { Agent, request } from 'node:http';
import type { Outcome } from './outcome.ts';
import { DEPLOYMENT, MAX_OUTPUT_TOKENS, type ValidationRequest } from './scenario.ts';

export interface Replayed {
  /** In the order of the requests; null of one that failed. */
  outcomes: (Outcome | null)[];
  /** How late requests were sent, ms: how busy this machine was. */
  mostLateMs: number;
}

/** @param gatewayUrl without a slash at the end */
export async function replay(gatewayUrl: string, requests: readonly ValidationRequest[]): Promise<Replayed> {
  const agent = new Agent({ keepAlive: true, maxSockets: 4096 });
  const startMs = performance.now() + 100;
  let mostLateMs = 0;
  const outcomes = await Promise.all(
    requests.map(async (wanted, index) => {
      await until(startMs + wanted.arrivalMs);
      mostLateMs = Math.max(mostLateMs, performance.now() - startMs - wanted.arrivalMs);
      return send(agent, gatewayUrl, wanted, index);
    }),
  );
  agent.destroy();
  return { outcomes, mostLateMs };
}

async function until(atMs: number): Promise<void> {
  const delayMs = atMs - performance.now();
  if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
}

function send(agent: Agent, gatewayUrl: string, { inputTokens, outputTokens }: ValidationRequest, index: number): Promise<Outcome | null> {
  // Token ids, so that gateway and engine count alike; no two prompts begin alike, or the gateway would take one for cached.
  const prompt = Array.from({ length: inputTokens }, (_, i) => (i === 0 ? index + 1 : 7));
  const body = JSON.stringify({
    model: DEPLOYMENT,
    prompt,
    max_tokens: MAX_OUTPUT_TOKENS,
    stream: true,
    simulated_output_tokens: outputTokens,
  });
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const sentMs = performance.now();
  return new Promise((resolve) => {
    const failed = () => resolve(null);
    const sent = request(`${gatewayUrl}/v1/completions`, { method: 'POST', agent, headers }, (response) => {
      let firstMs = Number.NaN;
      let tail = '';
      response.on('data', (chunk: Buffer) => {
        if (Number.isNaN(firstMs)) firstMs = performance.now();
        tail = (tail + chunk.toString('latin1')).slice(-64);
      });
      response.on('error', failed);
      response.on('end', () => {
        if (response.statusCode !== 200 || !tail.includes('[DONE]')) return failed();
        const endMs = performance.now();
        resolve({ ttftMs: firstMs - sentMs, tpotMs: (endMs - firstMs) / Math.max(1, outputTokens - 1) });
      });
    });
    sent.on('error', failed);
    sent.end(body);
  });
}
