/** Tracing by OpenTelemetry's SDK. Spans wait in a bounded queue and go out in batches; what finds no room there is dropped. */
import {
  type Context,
  DiagLogLevel,
  diag,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, ParentBasedSampler, TraceIdRatioBasedSampler, TracerProvider } from '@opentelemetry/sdk-trace';
import type { RoutedReplica } from '../../core/domain/routing.ts';
import type { Accepted, Ended } from '../accepted.ts';
import { OPERATIONS } from '../accounts/gen-ai-metrics.ts';
import type { RequestTrace, Tracing, TracingOptions } from './tracing.ts';

/** Longest that the end of the gateway waits for a collector. */
const CLOSE_WITHIN_MS = 2000;

const propagator = new W3CTraceContextPropagator();
const carrier = {
  get: (headers: Record<string, string>, name: string) => headers[name],
  keys: (headers: Record<string, string>) => Object.keys(headers),
  set: (headers: Record<string, string>, name: string, value: string) => {
    headers[name] = value;
  },
};

export function openTracing({ endpoint, share, onLost }: TracingOptions, gatewayId: string): Tracing {
  let told = false;
  const error = (message: string) => {
    if (!told) onLost(/Error: [^\\"]*/.exec(message)?.[0] ?? message.slice(0, 200));
    told = true;
  };
  const nothing = () => undefined;
  diag.setLogger({ error, warn: nothing, info: nothing, debug: nothing, verbose: nothing }, DiagLogLevel.ERROR);
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'uellm-gateway', 'service.instance.id': gatewayId }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(share) }),
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, '')}/v1/traces` }) })],
  });
  const tracer = provider.getTracer('uellm');
  return {
    begin: (accepted) => begin(tracer, accepted),
    async close() {
      const closed = provider.shutdown().catch(() => undefined);
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, CLOSE_WITHIN_MS).unref())]);
    },
  };
}

function begin(tracer: Tracer, accepted: Accepted): RequestTrace | null {
  const { request, arrivalMs, model } = accepted;
  const operation = OPERATIONS[request.endpoint];
  const parent = propagator.extract(ROOT_CONTEXT, accepted.headers, carrier);
  const span = tracer.startSpan(`${operation} ${model}`, { kind: SpanKind.SERVER, startTime: arrivalMs }, parent);
  if (!span.isRecording()) return null;
  span.setAttributes({
    'gen_ai.operation.name': operation,
    'gen_ai.request.model': model,
    'http.request.method': 'POST',
    'uellm.request_id': accepted.requestId,
    'uellm.tenant': accepted.tenant,
    'uellm.class': accepted.class,
    'uellm.policy': accepted.policy.name,
    'uellm.streamed': request.streamed,
  });
  if (request.maxTokens !== null) span.setAttribute('gen_ai.request.max_tokens', request.maxTokens);
  if (request.choices !== 1) span.setAttribute('gen_ai.request.choice.count', request.choices);
  return new OpenTrace(tracer, span, trace.setSpan(parent, span), arrivalMs);
}

class OpenTrace implements RequestTrace {
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #context: Context;
  readonly #arrivalMs: number;
  #sending: Span | null = null;

  constructor(tracer: Tracer, span: Span, context: Context, arrivalMs: number) {
    this.#tracer = tracer;
    this.#span = span;
    this.#context = context;
    this.#arrivalMs = arrivalMs;
  }

  waited(fromMs: number, untilMs: number): void {
    this.#tracer.startSpan('queue', { startTime: fromMs }, this.#context).end(untilMs);
  }

  sent(replica: RoutedReplica, headers: Record<string, string>): Record<string, string> {
    const { hostname, port, protocol } = new URL(replica.endpoint);
    const attributes = {
      'server.address': hostname,
      'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
      'uellm.replica': replica.replicaId,
      'uellm.simulated': replica.simulated,
    };
    const options = { kind: SpanKind.CLIENT, startTime: performance.now(), attributes };
    this.#sending = this.#tracer.startSpan('send', options, this.#context);
    const traced = { ...headers };
    propagator.inject(trace.setSpan(this.#context, this.#sending), traced, carrier);
    return traced;
  }

  answered(status: number): void {
    this.#sending?.setAttribute('http.response.status_code', status);
  }

  retried(reason: string): void {
    this.#endSending(reason);
  }

  ended(deployment: string, { outcome, measured, usage, queueMs, predicted, replica }: Ended, code: string | undefined): void {
    const error = outcome === 'ok' ? undefined : (code ?? outcome);
    if (measured.ttftMs !== null) this.#sending?.addEvent('first_token', this.#arrivalMs + measured.ttftMs);
    this.#endSending(error);
    const span = this.#span;
    span.setAttributes({ 'uellm.deployment': deployment, 'uellm.outcome': outcome, 'uellm.queue_ms': queueMs });
    if (replica) span.setAttribute('uellm.replica', replica.id);
    if (predicted) span.setAttribute('uellm.predicted_ttft_ms', predicted.ttftMs);
    if (measured.ttftMs !== null) span.setAttribute('uellm.ttft_ms', measured.ttftMs);
    if (usage?.promptTokens != null) span.setAttribute('gen_ai.usage.input_tokens', usage.promptTokens);
    if (measured.outputTokens !== null) span.setAttribute('gen_ai.usage.output_tokens', measured.outputTokens);
    if (error !== undefined) span.setAttribute('error.type', error);
    // What a client asks wrongly, or gives up, is no failure of this service.
    if (outcome === 'failed') span.setStatus({ code: SpanStatusCode.ERROR });
    span.end(performance.now());
  }

  #endSending(error: string | undefined): void {
    if (error !== undefined) this.#sending?.setAttribute('error.type', error).setStatus({ code: SpanStatusCode.ERROR });
    this.#sending?.end(performance.now());
    this.#sending = null;
  }
}
