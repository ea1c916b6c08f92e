/** Every recorded history replays on the workflows as they are now. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from '@temporalio/worker';
import { describe, expect, it } from 'vitest';
import { HISTORIES } from '../support/histories.ts';
import { quietRuntime, workflowBundle } from '../support/temporal.ts';

const files = readdirSync(HISTORIES).filter((f) => f.endsWith('.json'));

describe('recorded histories', () => {
  it('are there for each workflow that operators meet', () => {
    for (const sort of [
      'deployModel-succeeded',
      'deployModel-rolled-back',
      'drainNode-drained',
      'drainNode-cancelled',
      'drainNode-failed',
      'rebalanceCluster-moved',
      'monitorCluster-corrected',
      'hostPresence-terminated',
    ]) {
      expect(files).toContain(`${sort}.json`);
    }
  });

  it('replay', async () => {
    quietRuntime();
    const histories = files.map((file) => ({ workflowId: file, history: JSON.parse(readFileSync(join(HISTORIES, file), 'utf8')) }));
    const failures: string[] = [];
    for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle: workflowBundle() }, histories)) {
      if (error) failures.push(`${workflowId}: ${error.message}`);
    }
    expect(failures).toEqual([]);
  });
});
