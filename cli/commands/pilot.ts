/** uellm pilot (report DEPLOYMENT [--hours N] | approve ID | decline ID [--reason TEXT]) */
import type { Command } from 'commander';
import type { ProposalDecision } from '../../api/schema/index.ts';
import { action, type CommandContext } from '../command.ts';
import { parseReplayHours } from '../duration.ts';
import { type OutputOptions, print, withOutput } from '../output/print.ts';
import { pilotText } from '../pilot-text.ts';
import type { Terminal } from '../terminal.ts';

const DECISIONS: Record<ProposalDecision, string> = {
  approve: 'have a proposal carried out, if it still fits',
  decline: 'have a proposal not carried out, and not proposed again for a day',
};

export function addPilot(program: Command, terminal: Terminal): void {
  const pilot = program.command('pilot').description('what uellm would gain a deployment, and the proposals that wait for an operator');
  withOutput(pilot.command('report'))
    .description('attainment and money as they are and as they would be in auto mode, and what is proposed')
    .argument('<deployment>', 'its name')
    .option('--hours <n>', 'so many hours back, up to 168', parseReplayHours, 24)
    .action(action(terminal, report));
  for (const decision of Object.keys(DECISIONS) as ProposalDecision[]) {
    withOutput(pilot.command(decision))
      .description(DECISIONS[decision])
      .argument('<proposal>', 'its id')
      .option('--reason <text>', 'why; kept with the proposal')
      .action(
        action(terminal, async ({ client }: CommandContext, id: string, { reason, ...options }: OutputOptions & { reason?: string }) => {
          const proposal = await client.decideProposal(id, decision, reason);
          const next = decision === 'approve' ? `; uellm get proposal ${id} shows what becomes of it` : '';
          print(terminal, options, proposal, () => `proposal ${id} is ${proposal.state}: ${proposal.summary}${next}\n`);
        }),
      );
  }
}

async function report({ client, terminal }: CommandContext, name: string, options: OutputOptions & { hours: number }): Promise<void> {
  const answer = await client.pilotReport(name, options.hours);
  print(terminal, options, answer, () => pilotText(answer, { columns: terminal.columns(), colour: terminal.colour }));
}
