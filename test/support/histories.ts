/**
 * Histories of workflows, kept to be replayed: a change of a workflow that an open run could not take shows here before it shows in production.
 * `UELLM_RECORD_HISTORIES=1 npx vitest run --project system workflows` records them anew from the workflows' own tests.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { searchAttributes } from '../../workflows/search-attributes.ts';

export const HISTORIES = fileURLToPath(new URL('../replay/histories', import.meta.url));

/** Writes one history for each sort of end that a workflow type came to: `deployModel-rolled-back.json`. The longest run of a sort tells most. */
export async function recordHistories(client: Client): Promise<void> {
  mkdirSync(HISTORIES, { recursive: true });
  const longest = new Map<string, { workflowId: string; runId: string; events: number }>();
  for await (const { type, status, workflowId, runId, historyLength, typedSearchAttributes } of client.workflow.list()) {
    const end = typedSearchAttributes.get(searchAttributes.outcome) ?? status.name.toLowerCase();
    const sort = `${type}-${end}`;
    if ((longest.get(sort)?.events ?? 0) < historyLength) longest.set(sort, { workflowId, runId, events: historyLength });
  }
  for (const [sort, { workflowId, runId }] of longest) {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    writeFileSync(join(HISTORIES, `${sort}.json`), `${withoutThisMachine(historyToJSON(history))}\n`);
  }
}

/** Stack traces and identities tell of the machine that recorded, and replay does not look at them. */
function withoutThisMachine(json: string): string {
  const silent = (key: string, value: unknown) => (key === 'stackTrace' ? '' : key === 'identity' ? 'a worker' : value);
  return JSON.stringify(JSON.parse(json), silent);
}
