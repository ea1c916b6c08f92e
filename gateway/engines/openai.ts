/** Engines that speak OpenAI's API themselves: what comes is passed on, byte for byte. */
import { Answer } from '../answer.ts';
import { forwardedBody } from '../request.ts';
import { readEngineGauges } from '../scrape.ts';
import type { EngineDialect } from './dialect.ts';

export const openai: EngineDialect = {
  refusal: () => null,
  compose: ({ request, path, headers, policy }) => ({ path, headers, body: forwardedBody(request, policy.priority) }),
  isWorthRetrying: (status) => status >= 500 || status === 429,
  answer: (status, headers, { request }) => new Answer(status, headers, !request.wantsUsage),
  async gauges(upstream, _, timeoutMs) {
    const text = await upstream.read('/metrics', timeoutMs);
    return text === null ? null : readEngineGauges(text);
  },
};
