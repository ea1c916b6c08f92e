/**
 * Triton Inference Server with its vLLM backend: OpenAI's API in front, the generate extension behind. Sources: triton-inference-server,
 * server/docs/protocol/extension_generate.md and server/src/http_server.cc; vllm_backend/src/model.py and src/utils/request.py.
 */
import { tritonMetricsUrl, tritonModelName } from '../../engines/triton/endpoint.ts';
import { RequestError } from '../errors.ts';
import { readEngineGauges } from '../upstream/scrape.ts';
import type { EngineDialect } from './dialect.ts';
import { TritonAnswer } from './triton-answer.ts';
import { checkForTriton, tritonBody } from './triton-request.ts';

/** Of the headers of the request, those that have a meaning there. */
const PASSED_ON = ['content-type', 'x-request-id', 'traceparent', 'tracestate'];

export const triton: EngineDialect = {
  refusal(request) {
    try {
      checkForTriton(request);
      return null;
    } catch (error) {
      if (error instanceof RequestError) return error.error;
      throw error;
    }
  },

  compose({ request, requestId, headers }, replica) {
    const passedOn = Object.fromEntries(PASSED_ON.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])));
    return {
      path: `/v2/models/${tritonModelName(replica)}/generate_stream`,
      headers: passedOn,
      body: tritonBody(request, requestId, replica),
    };
  },

  // It answers 400 whenever the first thing that comes of the model is an error, whoever is to blame.
  isWorthRetrying: (status) => status !== 200,

  answer: (status, _, asked) => new TritonAnswer(status, asked),

  /** Its own readiness is not asked for: the server calls itself not ready while any version of any model loads. */
  async gauges(upstream, replica, timeoutMs) {
    const model = tritonModelName(replica);
    const ready = upstream.read(`/v2/models/${model}/ready`, timeoutMs);
    const metrics = upstream.readAt(tritonMetricsUrl(replica.endpoint), timeoutMs).catch(() => null); // they may be switched off
    if ((await ready) === null) throw new Error(`its model ${model} is not ready`);
    const text = await metrics;
    return text === null ? null : readEngineGauges(text, `model="${model}"`);
  },
};
