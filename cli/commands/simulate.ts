/** uellm simulate --trace FILE --fleet FILE --slo FILE: how a fleet would serve a trace, under one scheduling policy or several */
import type { Command } from 'commander';
import { offlineAction } from '../command.ts';
import { type OutputOptions, withOutput } from '../output/print.ts';
import type { Terminal } from '../terminal.ts';

export function addSimulate(program: Command, terminal: Terminal): void {
  withOutput(program.command('simulate'))
    .description('how a fleet would serve a trace, by scheduling policy; needs no installation')
    .option('--trace <file>', 'requests to serve')
    .option('--format <format>', 'azure, mooncake or jsonl; told by the first line where absent')
    .option('--workload <name>', 'generated requests instead of a trace: chat, code, mooncake-chat, reasoning, ...')
    .option('--requests <n>', 'so many of the workload (10000)')
    .option('--rate <r>', "the workload's mean rate, requests/s (its published one)")
    .requiredOption('--fleet <file>', 'hosts, and replicas where they are not to be filled; YAML or JSON')
    .requiredOption('--slo <file>', 'classes of requests and what each is promised; YAML or JSON')
    .option('--accelerators <file>', 'kinds beside those of the catalog, or other figures for them (UELLM_ACCELERATORS_FILE)')
    .option('--model <name>', 'model of the replicas (llama-3.1-8b)')
    .option('--policy <names>', 'scheduling policies, with commas between them, or all (uellm)')
    .option('--predictor <names>', 'who predicts output lengths: learned, class-mean, oracle (learned)')
    .option('--rate-scale <x>', 'requests come so many times as fast; several with commas between them (1)')
    .option('--limit <n>', 'the first n requests only')
    .option('--seed <n>', 'of everything that is drawn at random (1)')
    .option('--seeds <k>', 'runs with k seeds, from --seed on (1)')
    .option('--search <shares>', 'find the largest rate at which such a share attains its SLO: 0.9,0.99')
    .option('--report <file>', 'write an HTML report with charts')
    .option('--step-overhead-ms <ms>', 'what an engine needs for a step besides its work (1)')
    .option('--chunk-tokens <n>', 'tokens of one step at most (2048)')
    .option('--max-sequences <n>', 'sequences of one step at most (256)')
    .option('--memory <share>', 'of an accelerator that an engine takes (0.9)')
    .option('--scheduling <policy>', "order of an engine's own queue: fcfs or priority (fcfs)")
    .option('--no-prefix-caching', 'engines compute what prompts share again')
    .option('--step-noise <share>', 'deviation of the time of a step (0.05)')
    .option('--engine-state-age-ms <ms>', "how old the engines' gauges are when the gateway reads them (200)")
    .option('--stream-delay-ms <ms>', 'how late the gateway hears of tokens (0)')
    .option('--model-factor <x>', "the scheduler's step-time model says x times the truth (1)")
    .action(
      offlineAction(terminal, async (options: OutputOptions) => {
        // Loaded only when it runs: other commands have no use for a simulator.
        const { simulateCommand } = await import('../simulation/simulate.ts');
        await simulateCommand(terminal, options);
      }),
    );
}
