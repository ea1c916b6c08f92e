import { describe, expect, it } from 'vitest';
import { byClass, byDeployment, type Status, windowOf } from './status.ts';
import { formatLine, formatTable } from './table.ts';

const replica = (host: string, state: string, simulated = true) => ({ deployment: 'llama', host, state, simulated });

const status: Status = {
  windowSeconds: 60,
  clients: { sent: 420, ok: 400, refused: 3, failed: 0, cut: 0 },
  classes: byClass([
    { class: 'batch', requests: 10, attained: 0.5 },
    { class: 'interactive', requests: 30, attained: 1 },
    { class: 'interactive', requests: 50, attained: 0.9 },
  ]),
  deployments: byDeployment([replica('h2', 'ready'), replica('h1', 'ready'), replica('h1', 'starting')]),
  activity: ['rollout llama-r1: running, canary (20 %)'],
};

describe('the live table', () => {
  it('shows requests, attainment by class, replicas by host and what is changing', () => {
    expect(formatTable(status, 120)).toEqual([
      '  requests    1.5/s over the last 60 s',
      "              420 sent by the demo's clients, 400 answered whole, 3 refused",
      '  within SLO  interactive     93.8 % of 80 requests',
      '              batch           50.0 % of 10 requests',
      '  replicas    llama              h1 1 of 2  h2 1   SIMULATED',
      '  workflows   rollout llama-r1: running, canary (20 %)',
    ]);
  });

  it('keeps within the width of the terminal, and to a few lines', () => {
    const busy = { ...status, activity: Array.from({ length: 9 }, (_, i) => `rollout ${i}`) };
    const lines = formatTable(busy, 30);
    expect(Math.max(...lines.map((line) => line.length))).toBe(30);
    expect(lines.at(-1)).toBe('              and 3 more');
  });

  it('counts over the time that traffic was watched, while that is short', () => {
    expect([windowOf(100_000, 99_900), windowOf(100_000, 90_000), windowOf(100_000, 0)]).toEqual([1, 10, 60]);
    expect(formatTable({ ...status, windowSeconds: 10 }, 120)[0]).toBe('  requests    9.0/s over the last 10 s');
  });

  it('keeps a reason of several lines on one', () => {
    expect(formatTable({ ...status, activity: ['host h1: lost (no\r\nword)'] }, 120).at(-1)).toBe('  workflows   host h1: lost (no word)');
  });

  it('says on one line the same where lines are all there is', () => {
    expect(formatLine(status)).toBe(
      "requests 1.5/s over the last 60 s, 420 sent by the demo's clients, 400 answered whole, 3 refused | within SLO interactive 93.8 %, batch 50.0 % | " +
        'replicas llama h1 1 of 2  h2 1 (simulated) | rollout llama-r1: running, canary (20 %)',
    );
  });

  it('calls a deployment simulated only when all of it is', () => {
    expect(byDeployment([replica('h1', 'ready'), replica('h2', 'ready', false)])[0]?.simulated).toBe(false);
  });
});
