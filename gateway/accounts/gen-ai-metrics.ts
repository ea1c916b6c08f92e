/**
 * OpenTelemetry's metrics of generative AI, as Prometheus names them: seconds spelled out, dots made underscores. They are there while
 * tracing is on, with the same names of operations and models as the spans. Source: OpenTelemetry semantic conventions, "Generative AI
 * metrics", with the bounds that it gives; "Prometheus and OpenMetrics compatibility".
 */
import type { Registry } from 'prom-client';
import type { Ended } from '../accepted.ts';
import type { Exchange } from '../exchange.ts';
import { SeriesHistogram } from './series.ts';

export const OPERATIONS = { chat: 'chat', completion: 'text_completion', embedding: 'embeddings' } as const;

const DURATION_SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const FIRST_TOKEN_SECONDS = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const OUTPUT_TOKEN_SECONDS = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5];
const TOKENS = Array.from({ length: 14 }, (_, i) => 4 ** i);

const BY = ['gen_ai_operation_name', 'gen_ai_request_model'] as const;

export class GenAiMetrics {
  readonly #duration: SeriesHistogram<(typeof BY)[number] | 'error_type'>;
  readonly #firstToken: SeriesHistogram<(typeof BY)[number]>;
  readonly #perToken: SeriesHistogram<(typeof BY)[number]>;
  readonly #tokens: SeriesHistogram<(typeof BY)[number] | 'gen_ai_token_type'>;

  constructor(registry: Registry) {
    this.#duration = new SeriesHistogram(registry, {
      name: 'gen_ai_server_request_duration_seconds',
      help: 'From acceptance to the end of the answer.',
      bounds: DURATION_SECONDS,
      labelNames: [...BY, 'error_type'],
    });
    this.#firstToken = new SeriesHistogram(registry, {
      name: 'gen_ai_server_time_to_first_token_seconds',
      help: 'From acceptance to the first token of a streamed answer.',
      bounds: FIRST_TOKEN_SECONDS,
      labelNames: BY,
    });
    this.#perToken = new SeriesHistogram(registry, {
      name: 'gen_ai_server_time_per_output_token_seconds',
      help: 'Mean time per output token after the first.',
      bounds: OUTPUT_TOKEN_SECONDS,
      labelNames: BY,
    });
    this.#tokens = new SeriesHistogram(registry, {
      name: 'gen_ai_client_token_usage',
      help: 'Tokens of a request, as its engine reported them.',
      bounds: TOKENS,
      labelNames: [...BY, 'gen_ai_token_type'],
    });
  }

  /** @param code of the error that ended it */
  ended({ accepted }: Exchange, { outcome, measured, usage }: Ended, code: string | undefined): void {
    const labels = { gen_ai_operation_name: OPERATIONS[accepted.request.endpoint], gen_ai_request_model: accepted.model };
    this.#duration.observe({ ...labels, error_type: outcome === 'ok' ? '' : (code ?? outcome) }, measured.e2eMs / 1000);
    if (measured.ttftMs !== null) this.#firstToken.observe(labels, measured.ttftMs / 1000);
    if (measured.tpotMs !== null) this.#perToken.observe(labels, measured.tpotMs / 1000);
    if (usage?.promptTokens != null) this.#tokens.observe({ ...labels, gen_ai_token_type: 'input' }, usage.promptTokens);
    if (measured.outputTokens !== null) this.#tokens.observe({ ...labels, gen_ai_token_type: 'output' }, measured.outputTokens);
  }
}
