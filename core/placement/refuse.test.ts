import { describe, expect, it } from 'vitest';
import { type Deployed, deployed, fleetOf, TestFleet } from '../../test/support/placement.ts';
import { plan } from './planner.ts';

const chat: Deployed = { name: 'chat', model: 'llama-3.1-8b', replicas: { min: 1, max: 4 } };
const large: Deployed = { name: 'large', model: 'llama-3.1-70b', replicas: { min: 1, max: 1 } };

function refusalOf(hosts: string[], wish: Deployed, change?: (fleet: TestFleet) => void) {
  const fleet = new TestFleet(fleetOf(...hosts), [deployed(wish)]);
  change?.(fleet);
  const { moves, report } = fleet.run('deploy', wish.name);
  return { moves, refusal: report.waiting[0] };
}

describe('a refusal names the constraint and the nearest thing that would do', () => {
  it('memory: no host has enough', () => {
    const { moves, refusal } = refusalOf(['a: 1 A100-80G-SXM', 'b: 2 L40S'], large);
    expect(moves).toEqual([]);
    expect(refusal).toEqual({
      kind: 'refused',
      on: 'memory',
      subject: 'large',
      message: '0 of 1 replica can be placed: 131 GiB of weights and a KV cache of 4096 tokens fit the accelerators of no host',
      nearest: 'fits on 2 A100-80G-SXM in one host',
    });
  });

  it('memory: a model without a config has no size', () => {
    const fleet = new TestFleet(fleetOf('a: 1 L40S'), [deployed(chat)]);
    const input = { ...fleet.input('deploy', 'chat'), models: {} };
    expect(plan(input).report.waiting[0]).toMatchObject({ on: 'memory', message: expect.stringContaining('it has no config') });
  });

  it('memory: the context length that the engine must promise', () => {
    const wish = { ...chat, args: { 'max-model-len': 131_072, 'tensor-parallel-size': 1 } };
    expect(refusalOf(['a: 4 L4'], wish).refusal).toMatchObject({ on: 'memory', message: expect.stringContaining('131072 tokens') });
    expect(refusalOf(['a: 4 H100-SXM'], wish).moves).toHaveLength(1);
  });

  it('placement: the lists of the deployment exclude what would fit', () => {
    const { refusal } = refusalOf(['a: 1 H100-SXM', 'b: 1 L40S'], { ...chat, placement: { hosts: ['b'], accelerators: ['H100-SXM'] } });
    expect(refusal).toMatchObject({
      kind: 'refused',
      on: 'placement',
      message: '0 of 1 replica can be placed: it fits none of what its placement allows: hosts b and accelerators H100-SXM',
      nearest: 'fits on 1 H100-SXM of host a',
    });
  });

  it('placement: a real engine is not started on a simulated host, nor a simulated one on a real host', () => {
    const fleet = new TestFleet(fleetOf('a: 1 H100-SXM'), [deployed(chat)]);
    const wish = fleet.deployments[0]!;
    fleet.deployments = [{ ...wish, spec: { ...wish.spec, engine: { kind: 'vllm', args: {} } } }];
    expect(plan(fleet.input('deploy', 'chat'))).toMatchObject({
      moves: [],
      report: { waiting: [{ kind: 'refused', on: 'placement', message: expect.stringContaining('hosts that run vllm') }] },
    });
    fleet.hosts = fleet.hosts.map((host) => ({ ...host, simulated: false }));
    expect(plan(fleet.input('deploy', 'chat')).moves).toHaveLength(1);
    fleet.deployments = [wish];
    expect(plan(fleet.input('deploy', 'chat')).moves).toEqual([]);
  });

  it('accelerators: how many more, and where', () => {
    const { refusal } = refusalOf(['a: 4 L40S', 'b: 4 L40S'], large, (fleet) => {
      fleet.deployments.push(deployed({ ...chat, replicas: { min: 3, max: 3 }, placement: { spread: 'none' } }));
      fleet.deployments.push(deployed({ ...chat, name: 'more', replicas: { min: 1, max: 1 }, placement: { hosts: ['b'] } }));
      fleet.run('deploy', 'chat');
      fleet.run('deploy', 'more');
    });
    expect(refusal).toMatchObject({
      kind: 'waiting',
      on: 'accelerators',
      message: '0 of 1 replica can be placed: needs 4 L40S free on one host that takes new work; none has them',
      nearest: 'fits with 1 more L40S on host b',
    });
  });

  it('accelerators: a host that takes no new work', () => {
    const { refusal } = refusalOf(['a: 4 L40S'], chat, (fleet) => {
      fleet.host('a').service = 'cordoned';
    });
    expect(refusal?.nearest).toBe('fits once host a takes new work: it is alive and cordoned');
  });

  it('context: requests that are declared longer than the model takes', () => {
    const { moves, refusal } = refusalOf(['a: 2 H100-SXM'], chat, (fleet) => {
      const [wish] = fleet.deployments;
      const demand = { requestsPerSecond: 1, inputTokens: 131_000, outputTokens: 200 };
      fleet.deployments = [{ ...wish!, demand, spec: { ...wish!.spec, demand } }];
    });
    expect(moves).toEqual([]);
    expect(refusal).toMatchObject({ kind: 'refused', on: 'context', nearest: 'fits at 130872 input tokens' });
    expect(refusal!.message).toContain('a mean request of 131000 input and 200 output tokens is longer than the context of 131072 tokens');
  });

  it('context: what was observed fitted, and a default is no word of anyone', () => {
    const { moves } = refusalOf(['a: 2 H100-SXM'], { ...chat, args: { 'max-model-len': 1024 } });
    expect(moves).toHaveLength(1);
  });

  it('placement: what antiAffinity leaves no host to', () => {
    const fleet = new TestFleet(fleetOf('a: 4 L40S'), [deployed(chat), deployed({ ...chat, name: 'other' })]);
    fleet.deployments[1]!.spec.placement.antiAffinity = ['chat'];
    fleet.run('deploy', 'chat');
    const { moves, report } = fleet.run('deploy', 'other');
    expect(moves).toEqual([]);
    expect(report.waiting[0]).toMatchObject({
      ...{ kind: 'refused', on: 'placement', nearest: 'fits without antiAffinity, or on another host of 1 L40S' },
      message: '0 of 1 replica can be placed: every host that it fits has a replica that antiAffinity keeps it apart from (chat)',
    });
    fleet.hosts = [...fleet.hosts, ...fleetOf('b: 1 L40S')];
    expect(fleet.run('deploy', 'other').moves).toMatchObject([{ host: 'b' }]);
  });

  it('slo: places what was asked for at the least, and says what is attainable', () => {
    const targets = { ttftMs: 60, tpotMs: 10, attainment: 0.9 };
    const { moves, refusal } = refusalOf(['a: 1 A100-80G-SXM', 'b: 1 L40S'], { ...chat, targets });
    expect(moves).toMatchObject([{ host: 'a', capacityRequestsPerSecond: 0 }]);
    expect(refusal).toEqual({
      kind: 'refused',
      on: 'slo',
      subject: 'chat',
      message: 'no free shape attains TTFT 60 ms, TPOT 10 ms for 90 %; nearest is 1 A100-80G-SXM',
      nearest: expect.stringMatching(/^fits at TTFT 20\d ms, TPOT 13 ms$/),
    });
  });

  it('unknown kinds of accelerators and external hosts are no place', () => {
    const { refusal } = refusalOf(['a: 1 L40S', 'b: 1 L40S'], chat, (fleet) => {
      fleet.host('a').accelerators = ['Abacus-9'];
      fleet.host('b').external = true;
    });
    expect(refusal).toMatchObject({ kind: 'refused', on: 'memory' });
  });
});
