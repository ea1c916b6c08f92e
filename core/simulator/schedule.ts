/**
 * Which tokens the next step works on, as vLLM's V1 scheduler chooses: first the running sequences in order of admission, which
 * puts decodes before the one that is still prefilling; then, from the token budget left, the head of the waiting queue, in chunks.
 * Where blocks run out, the lowest running sequence loses its own and is recomputed later, and nobody is admitted in that step.
 */
import type { Engine, EngineRequest, Sequence } from './engine-state.ts';
import { fits, growTo, release, reusePrefix } from './kv-blocks.ts';
import { dequeue, enqueue, goesBefore } from './waiting-queue.ts';

/** Sets `scheduledTokens` of the sequences that take part in the step, and allocates their blocks. The first `decoded` have had theirs. */
export function scheduleStep<R extends EngineRequest>(engine: Engine<R>, decoded: number): void {
  const { running, kv } = engine;
  let budget = engine.config.maxBatchedTokens - decoded;
  let index = decoded;
  while (index < running.length && budget > 0) {
    const sequence = running[index] as Sequence<R>;
    const missing = sequence.prefillTokens - sequence.computedTokens;
    const tokens = missing <= 0 ? 1 : Math.min(missing, budget);
    while (!growTo(kv, sequence, sequence.computedTokens + tokens)) {
      const victimIndex = lowest(engine);
      const victim = running[victimIndex] as Sequence<R>;
      budget += victim.scheduledTokens;
      if (victimIndex < index) index--;
      preempt(engine, victimIndex);
      if (victim === sequence) return;
    }
    sequence.scheduledTokens = tokens;
    budget -= tokens;
    index++;
  }
  if (engine.result.preempted.length === 0) admit(engine, budget);
}

/** A head that does not fit holds up those behind it: order is kept, and long prompts do not starve. */
function admit<R extends EngineRequest>(engine: Engine<R>, budgetTokens: number): void {
  const { config, kv, running, waiting } = engine;
  let budget = budgetTokens;
  while (budget > 0 && running.length < config.maxSequences) {
    const head = waiting[0];
    // The whole prompt must fit now, though it is computed in chunks (vLLM's scheduler_reserve_full_isl).
    if (head === undefined || !fits(kv, head, head.prefillTokens)) return;
    dequeue(waiting, head);
    if (kv.prefixes) findPrefix(engine, head);
    const tokens = Math.min(head.prefillTokens - head.computedTokens, budget);
    growTo(kv, head, head.computedTokens + tokens);
    head.state = 'running';
    head.scheduledTokens = tokens;
    running.push(head);
    engine.result.admitted.push(head);
    budget -= tokens;
  }
}

/** What the prefix cache holds of a prompt counts as computed. */
function findPrefix<R extends EngineRequest>({ kv, prefixTokens }: Engine<R>, sequence: Sequence<R>): void {
  sequence.computedTokens = reusePrefix(kv, sequence, sequence.prefillTokens);
  if (sequence.preemptions > 0) return;
  prefixTokens.lookedUp += sequence.prefillTokens;
  prefixTokens.hit += sequence.computedTokens;
}

/** Makes the running sequences fit what blocks there are. @returns how many have lost theirs */
export function preemptUntilTheyFit<R extends EngineRequest>(engine: Engine<R>): number {
  let preempted = 0;
  for (; engine.kv.used > engine.kv.total; preempted++) preempt(engine, lowest(engine));
  return preempted;
}

/** Index of the running sequence that goes last. Under FCFS order of admission is order of arrival: it is the last one. */
function lowest<R extends EngineRequest>(engine: Engine<R>): number {
  const { running } = engine;
  let last = running.length - 1;
  if (engine.config.scheduling === 'fcfs') return last;
  for (let i = last - 1; i >= 0; i--) {
    if (goesBefore(running[last] as Sequence<R>, running[i] as Sequence<R>)) last = i;
  }
  return last;
}

function preempt<R extends EngineRequest>(engine: Engine<R>, index: number): void {
  const [victim] = engine.running.splice(index, 1) as [Sequence<R>];
  release(engine.kv, victim);
  victim.state = 'waiting';
  victim.prefillTokens = victim.request.inputTokens + victim.generatedTokens;
  victim.computedTokens = 0;
  victim.scheduledTokens = 0;
  victim.preemptions++;
  enqueue(engine.waiting, victim);
  engine.result.preempted.push(victim);
}
