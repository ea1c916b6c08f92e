/** `npm run bench:drains -- [--drains 20] [--seconds 5-60] [--clients 16] [--seed 1] [--json]`. Exit code 1 where a request was dropped. */
import { invalidFlag, readFlags, runBench, wholeNumberFlag } from '../support/flags.ts';
import { renderTable } from '../support/table.ts';
import { type DrainsResult, runDrains } from './run.ts';

function secondsFlag(given: string): readonly [number, number] {
  const [, least, most] = /^(\d{1,4})-(\d{1,4})$/.exec(given) ?? [];
  if (!least || !most || Number(least) < 1 || Number(most) < Number(least)) throw invalidFlag('--seconds', given, 'a range, such as 5-60');
  return [Number(least), Number(most)];
}

function parseFlags() {
  const values = readFlags({
    drains: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '5-60' },
    clients: { type: 'string', default: '16' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  });
  return {
    drains: wholeNumberFlag('--drains', values.drains, 1, 1000),
    streamSeconds: secondsFlag(values.seconds),
    clients: wholeNumberFlag('--clients', values.clients, 1, 500),
    seed: wholeNumberFlag('--seed', values.seed, 0, 1e9),
    json: values.json,
  };
}

function tableOf({ drains, requests, failures }: DrainsResult): string {
  const dropped = drains.reduce((sum, d) => sum + d.counted.dropped, 0);
  const equal = drains.filter((d) => d.equal).length;
  return [
    renderTable(
      ['host', 'replicas', 'seconds', 'finished', 'counted', 'edge', 'dropped', 'counted', 'retried', 'equal'],
      drains.map((d) => [
        ...[d.host, String(d.replicas), d.seconds.toFixed(1), String(d.receipt.finished), String(d.counted.finished), String(d.edge)],
        ...[String(d.receipt.dropped), String(d.counted.dropped), String(d.receipt.retried), d.equal ? 'yes' : 'NO'],
      ]),
    ),
    '',
    `${drains.length} drains, ${requests} requests, ${failures.length} failed, ${dropped} dropped by drains; ${equal} receipts equal what the clients counted`,
    ...failures.slice(0, 20),
  ].join('\n');
}

await runBench(async () => {
  const { json, ...options } = parseFlags();
  const began = Date.now();
  const result = await runDrains({
    ...options,
    log: (line) => console.error(`${((Date.now() - began) / 1000).toFixed(1).padStart(7)} s  ${line}`),
  });
  console.log(json ? JSON.stringify(result, null, 2) : tableOf(result));
  process.exit(result.failures.length === 0 && result.drains.every((d) => d.equal) ? 0 : 1);
});
