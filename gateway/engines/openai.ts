/** Engines that speak OpenAI's API themselves: what comes is passed on, byte for byte. */
import type { RoutedReplica } from '../../core/domain/routing.ts';
import { Answer } from '../answers/answer.ts';
import { forwardedBody } from '../body/request.ts';
import { readEngineGauges } from '../upstream/scrape.ts';
import type { EngineDialect } from './dialect.ts';
import { ErrorAnswer } from './openai-error.ts';

/** Engines are started under both names; one that somebody else runs may have another, and none knows an alias. */
function nameFor({ servedAs, deployment, model }: RoutedReplica, asked: string): string {
  return servedAs ?? (asked === model ? model : deployment);
}

export const openai: EngineDialect = {
  refusal: () => null,
  compose: ({ request, path, headers, policy }, replica) => ({
    path,
    headers,
    // In shadow mode engines put none before another either.
    body: forwardedBody(request, replica.shadowed ? 0 : policy.priority, nameFor(replica, request.model)),
  }),
  isWorthRetrying: (status) => status >= 500 || status === 429,
  answer: (status, headers, { request }) =>
    status >= 400 ? new ErrorAnswer(status, headers) : new Answer(status, headers, !request.wantsUsage),
  async gauges(upstream, _, timeoutMs) {
    const text = await upstream.read('/metrics', timeoutMs);
    return text === null ? null : readEngineGauges(text);
  },
};
