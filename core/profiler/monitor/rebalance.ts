/** When corrections do not suffice: a model whose requests miss their SLO for a while with corrections in force needs another placement. */
import type { ActiveCorrection, CorrectionChange, Finding } from './correction.ts';
import { percent } from './detector.ts';
import type { Evidence } from './evidence.ts';
import type { MonitorMemory } from './memory.ts';

const LEAST_JUDGED = 50;
/** Share of a model's requests; below it something has to move. */
const ATTAINS_TOO_LITTLE = 0.8;
/** In a row. */
export const REBALANCE_LOOKS = 6;

/** Models to be placed anew, should they be found in so many looks: each with a correction in force that does not suffice. */
export function unattaining(memory: MonitorMemory, evidence: Evidence): { finding: Finding; change: CorrectionChange }[] {
  const models = [...new Set(evidence.answers.map((a) => a.model))];
  return models.flatMap((model) => {
    const answers = evidence.answers.filter((a) => a.model === model);
    const judged = answers.reduce((sum, a) => sum + a.judged, 0);
    const attained = answers.reduce((sum, a) => sum + a.attained, 0);
    const correction = memory.active.find((c) => c.kept && concerns(c, model, evidence));
    if (!correction || judged < LEAST_JUDGED || attained >= ATTAINS_TOO_LITTLE * judged) return [];
    const message = `model ${model}: ${percent(attained / judged)} of ${judged} requests attain their SLO, though it was corrected: ${correction.finding.message}`;
    const finding: Finding = { kind: correction.finding.kind, subject: `model ${model}`, message, figures: { judged, attained } };
    return [{ finding, change: { kind: 'rebalance', model } }];
  });
}

function concerns({ change }: ActiveCorrection, model: string, { replicas }: Evidence): boolean {
  if ('model' in change) return change.model === model;
  return 'replicaId' in change && replicas.some((r) => r.replicaId === change.replicaId && r.model === model);
}
