/** uellm top */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { ApiClient } from '../../api/client.ts';
import type { HostResource, Info, ReplicaResource, RolloutResource, SloAttainmentItem } from '../../api/schema/index.ts';
import { counted } from '../../core/domain/counted.ts';
import { isTerminalPhase } from '../../core/domain/rollout.ts';
import { action, type CommandContext } from '../command.ts';
import { paint, type Tone } from '../output/colour.ts';
import { percent } from '../output/figures.ts';
import { createProgress } from '../output/live.ts';
import { type OutputOptions, print, withOutput } from '../output/print.ts';
import { renderTable, type TableStyle } from '../output/table.ts';
import { rolloutLine } from '../rollouts.ts';
import type { Terminal } from '../terminal.ts';
import { shownState } from '../views.ts';
import { watch } from '../watch.ts';

const WINDOW_SECONDS = 60;
const REFRESH_MS = 1000;

export interface Snapshot {
  windowSeconds: number;
  info: Info;
  attainment: SloAttainmentItem[];
  hosts: HostResource[];
  replicas: ReplicaResource[];
  rollouts: RolloutResource[];
}

export function addTop(program: Command, terminal: Terminal): void {
  withOutput(program.command('top'))
    .description('what is served, how well, and by what: live on a terminal, once elsewhere')
    .action(action(terminal, top));
}

async function top({ client, terminal }: CommandContext, options: OutputOptions): Promise<void> {
  const once = !terminal.interactive || options.output !== 'table';
  if (once) {
    const snapshot = await take(client);
    print(terminal, options, snapshot, () => `${topLines(snapshot, style(terminal)).join('\n')}\n`);
    return;
  }
  const progress = createProgress(terminal, { resultOnly: false });
  await watch(progress, async () => {
    progress.show(topLines(await take(client), style(terminal)), '');
    await sleep(REFRESH_MS);
    return undefined; // until Ctrl-C
  });
}

const style = (terminal: Terminal): TableStyle => ({ columns: terminal.columns(), colour: terminal.colour });

async function take(client: ApiClient): Promise<Snapshot> {
  const [info, attainment, hosts, replicas, rollouts] = await Promise.all([
    client.info(),
    client.sloAttainment(WINDOW_SECONDS),
    client.list('hosts', { limit: 1000 }),
    client.list('replicas', { limit: 1000 }),
    client.list('rollouts', { limit: 20 }),
  ]);
  return {
    windowSeconds: WINDOW_SECONDS,
    info,
    attainment: attainment.items,
    hosts: hosts.items,
    replicas: replicas.items.filter((replica) => replica.status.endedAt === null),
    rollouts: rollouts.items.filter((rollout) => !isTerminalPhase(rollout.status.phase)),
  };
}

/** The whole picture as lines. */
export function topLines({ windowSeconds, info, attainment, hosts, replicas, rollouts }: Snapshot, style: TableStyle): string[] {
  const requests = attainment.reduce((sum, item) => sum + item.requests, 0);
  const simulated = info.simulatedHosts > 0 ? paint(`${counted(info.simulatedHosts, 'SIMULATED host')}   `, 'busy', style.colour) : '';
  const table = (header: string[], rows: Parameters<typeof renderTable>[1]) =>
    rows.length > 0 ? renderTable(header, rows, style).trimEnd().split('\n') : [];
  return [
    `uellm ${info.version}   ${simulated}${(requests / windowSeconds).toFixed(1)} requests/s over ${windowSeconds} s`,
    '',
    ...table(['POLICY', 'CLASS', 'DEPLOYMENT', 'REQUESTS', 'ATTAINED', 'TARGET'], attainment.map(attainmentRow)),
    '',
    ...table(
      ['HOST', 'ACCELERATORS', 'LIVENESS', 'SERVICE', 'REPLICAS'],
      hosts.map(({ name, status }) => [
        name,
        `${status.accelerators.claimed}/${status.accelerators.total}`,
        status.liveness,
        status.service,
        replicas
          .filter((replica) => replica.host === name)
          .map((replica) => `${replica.deployment} ${shownState(replica)}`)
          .join(', '),
      ]),
    ),
    ...(rollouts.length > 0 ? ['', ...rollouts.map((rollout) => rolloutLine(rollout, style.colour))] : []),
  ];
}

function attainmentRow({ policy, class: name, deployment, requests, attained, targetAttainment }: SloAttainmentItem) {
  const tone: Tone = targetAttainment === null || attained >= targetAttainment ? 'good' : 'bad';
  return [policy, name, deployment, String(requests), { text: percent(attained), tone }, percent(targetAttainment)];
}
