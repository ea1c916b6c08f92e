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

/** Nothing that this API answers with: a redirection is of the engine's own network, and an answer without content says nothing. */
const isNoAnswer = (status: number) => status < 400 && status !== 200;

export const openai: EngineDialect = {
  refusal: () => null,
  compose: ({ request, path, headers, policy }, replica) => ({
    path,
    headers,
    // In shadow mode engines put none before another either.
    body: forwardedBody(request, replica.shadowed ? 0 : policy.priority, nameFor(replica, request.model)),
  }),
  isWorthRetrying: (status) => status >= 500 || status === 429 || isNoAnswer(status),
  answer(status, headers, { request }) {
    if (isNoAnswer(status) || status === 401 || status === 403) return new ErrorAnswer(502, {}, `it answers with status ${status}`);
    return status >= 400 ? new ErrorAnswer(status, headers) : new Answer(status, headers, request);
  },
  async gauges(upstream, _, timeoutMs) {
    const text = await upstream.read('/metrics', timeoutMs);
    return text === null ? null : readEngineGauges(text);
  },
};
