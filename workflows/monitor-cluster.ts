/**
 * Compares what was predicted with what happened, and corrects it: recalibrates the profiler, limits or loosens what gateways send to a
 * replica, has an engine started in another shape, asks for a rebalance. What to do is decided and written down by one activity; only what is
 * a workflow itself is started from here.
 *
 * Keyed `monitor-cluster`. The schedule starts a run every minute, which looks every few seconds and ends before the next is due: a run for
 * each look would fill Temporal with histories that say nothing, and one that never ends would hold on to old code. Whoever wants a look at
 * once signals `look`, with a start where no run is open; all share this one lock.
 */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  condition,
  executeChild,
  log,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  startChild,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { LookReport, WorkflowToStart } from '../activities/index.ts';
import { showProposal } from './carry-out-proposal.ts';
import { reasonOf } from './compensation.ts';
import { deployModel } from './deploy-model.ts';
import { lookSignal, type MonitorInput, type MonitorStatus, monitorStatusQuery, workflowIds } from './messages.ts';
import { control, looking } from './proxies.ts';
import { rebalanceCluster } from './rebalance-cluster.ts';
import { searchAttributes } from './search-attributes.ts';

export async function monitorCluster({ everySeconds, forSeconds }: MonitorInput): Promise<MonitorStatus> {
  const began = Date.now();
  const everyMs = everySeconds * 1000;
  const status: MonitorStatus = { looks: 0, findings: [], done: [], active: 0 };
  let asked = 0;
  setHandler(monitorStatusQuery, () => status);
  setHandler(lookSignal, () => {
    asked += 1;
  });
  for (;;) {
    const answered = asked;
    await lookOnce(status);
    if (asked > answered) continue;
    // By the clock of the run: however long a look takes, the next is not later for it.
    const passedMs = Date.now() - began;
    const nextMs = everyMs * (Math.floor(passedMs / everyMs) + 1);
    if (nextMs >= forSeconds * 1000) return status;
    await condition(() => asked > answered, nextMs - passedMs);
  }
}

async function lookOnce(status: MonitorStatus): Promise<void> {
  status.looks += 1;
  try {
    const report = await looking.lookAtCluster();
    for (const work of report.toStart) await startOnce(work);
    Object.assign(status, { findings: report.findings, active: report.active, done: [...status.done, ...report.done] });
    show(outcomeOf(report, status), status);
  } catch (error) {
    show('blind', status, `The last look failed: ${reasonOf(error)}`);
  }
}

/** By an id of its own: what was started before, by a run that was cut off, is not started twice. It goes on whatever becomes of this run. */
async function startOnce(work: WorkflowToStart): Promise<void> {
  try {
    if (work.kind === 'rebalance') {
      await startChild(rebalanceCluster, {
        workflowId: workflowIds.rebalance,
        args: [{ dryRun: false, requestedBy: 'monitoring' }],
        parentClosePolicy: ParentClosePolicy.ABANDON,
      });
    } else if (work.kind === 'proposal') {
      await showProposal(work.proposalId, work.summary);
    } else {
      await startChild(deployModel, {
        workflowId: workflowIds.deploy(work.rolloutId),
        args: [{ rolloutId: work.rolloutId }],
        workflowIdReusePolicy: 'REJECT_DUPLICATE', // one that has ended by now was started before
        parentClosePolicy: ParentClosePolicy.ABANDON,
      });
    }
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    log.info('it runs already', { kind: work.kind, correction: work.correctionId });
  }
  await control.recordCorrectionStarted(work.correctionId);
}

/** What a list of runs tells: the most that this run came to. */
function outcomeOf(report: LookReport, { done }: MonitorStatus): string {
  if (done.length > 0) return 'corrected';
  return report.findings.length > 0 ? 'found' : 'as-predicted';
}

function show(outcome: string, status: MonitorStatus, trouble = ''): void {
  upsertSearchAttributes([{ key: searchAttributes.outcome, value: outcome }]);
  const lines = (title: string, of: string[]) => (of.length > 0 ? `\n\n${title}:\n\n${of.map((line) => `- ${line}`).join('\n')}` : '');
  const found = status.findings.length === 0 ? 'Everything is as predicted.' : '';
  setCurrentDetails(
    `**${outcome}** after ${status.looks} looks; ${status.active} corrections in force. ${trouble || found}` +
      lines('Found', status.findings) +
      lines('Done in this run', status.done),
  );
}

/** What the schedule starts: the same monitoring under the same lock, or nothing where it runs. */
export async function scheduledMonitoring(input: MonitorInput): Promise<MonitorStatus | null> {
  try {
    return await executeChild(monitorCluster, {
      workflowId: workflowIds.monitor,
      args: [input],
      // One that is stuck must not be the last.
      workflowRunTimeout: '10m',
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    setCurrentDetails('It is being looked already.');
    return null;
  }
}
