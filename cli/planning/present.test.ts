import { describe, expect, it } from 'vitest';
import { fleetOf } from '../../test/support/placement.ts';
import { failureOf } from '../failure.ts';
import { parsePresent } from './present.ts';

const HOSTS = [...fleetOf('a: 2 H100-SXM'), { ...fleetOf('b: 1 L40S')[0]!, accelerators: ['L40S', 'T4'] }];
const placement = (replicas: unknown[], rest: object = {}) => parsePresent(JSON.stringify({ ...rest, replicas }), 'plan.json', HOSTS);
const parse = (replicas: unknown[], rest: object = {}) => placement(replicas, rest).replicas;

function issueOf(...replicas: unknown[]): string {
  try {
    parse(replicas);
  } catch (error) {
    return failureOf(error).text;
  }
  throw new Error('it was taken');
}

describe('what is placed already', () => {
  it('is the replicas of a plan, whatever else it has', () => {
    const plan = { costUsdPerHour: 3, unplaced: [], notes: [] };
    expect(parse([{ model: 'm', host: 'a', accelerators: [0, 1], tensorParallel: 2, capacityRequestsPerSecond: 4 }], plan)).toMatchObject([
      { id: 'present-000001', deployment: 'm', host: 'a', acceleratorKind: 'H100-SXM', tensorParallel: 2, state: 'ready' },
    ]);
    expect(parse([{ model: 'm', host: 'b', accelerators: [1] }])).toMatchObject([{ acceleratorKind: 'T4', tensorParallel: 1 }]);
    expect(parse([])).toEqual([]);
  });

  it('has pipelines over several hosts apart from replicas, and those within a host among them', () => {
    const stage = (host: string, accelerators: number[]) => ({ host, accelerators, tensorParallel: accelerators.length, layers: 40 });
    const within = { model: 'm', host: 'a', accelerators: [0, 1], tensorParallel: 1, pipelineStages: [stage('a', [0]), stage('a', [1])] };
    expect(placement([within])).toMatchObject({ replicas: [{ accelerators: [0, 1], tensorParallel: 1 }], pipelines: [] });
    const across = { model: 'm', host: 'a', accelerators: [0], tensorParallel: 1, pipelineStages: [stage('a', [0]), stage('b', [0])] };
    expect(placement([across])).toEqual({
      replicas: [],
      pipelines: [
        {
          ...{ id: 'present-000001', deployment: 'm' },
          stages: [
            { ...stage('a', [0]), acceleratorKind: 'H100-SXM' },
            { ...stage('b', [0]), acceleratorKind: 'L40S' },
          ],
        },
      ],
    });
    const clash = { model: 'n', host: 'b', accelerators: [0] };
    expect(issueOf(across, clash)).toContain('replicas[1].accelerators: got [0], allowed is accelerators that no other replica has');
    expect(issueOf({ ...across, pipelineStages: [stage('z', [0])] })).toContain('replicas[0].pipelineStages[0].host: got "z"');
  });

  it.each([
    [
      'a host that is not there',
      [{ model: 'm', host: 'z', accelerators: [0] }],
      'replicas[0].host: got "z", allowed is a host of the fleet',
    ],
    [
      'accelerators that are not there',
      [{ model: 'm', host: 'a', accelerators: [2] }],
      'replicas[0].accelerators: got [2], allowed is indexes from 0 to 1',
    ],
    [
      'accelerators that two have',
      [
        { model: 'm', host: 'a', accelerators: [0, 1] },
        { model: 'n', host: 'a', accelerators: [1] },
      ],
      'replicas[1].accelerators: got [1], allowed is accelerators that no other replica has',
    ],
    ['no accelerators', [{ model: 'm', host: 'a', accelerators: [] }], 'replicas[0].accelerators'],
    ['an index below nothing', [{ model: 'm', host: 'a', accelerators: [-1] }], 'replicas[0].accelerators[0]: got -1'],
    ['no model', [{ host: 'a', accelerators: [0] }], 'replicas[0].model: got nothing'],
    ['a width of nothing', [{ model: 'm', host: 'a', accelerators: [0], tensorParallel: 0 }], 'replicas[0].tensorParallel: got 0'],
    [
      'a width that its accelerators do not divide by',
      [{ model: 'm', host: 'a', accelerators: [0], tensorParallel: 2 }],
      'replicas[0].tensorParallel: got 2',
    ],
    ['an accelerator twice', [{ model: 'm', host: 'a', accelerators: [0, 0] }], 'replicas[0].accelerators: got [0,0]'],
    [
      'another kind than stands there',
      [{ model: 'm', host: 'a', accelerators: [0], acceleratorKind: 'MI300X' }],
      'replicas[0].acceleratorKind: got "MI300X", allowed is ',
    ],
    ['accelerators of two kinds', [{ model: 'm', host: 'b', accelerators: [0, 1] }], 'replicas[0].accelerators: got [0,1]'],
  ])('names the field of %s', (_, replicas, told) => {
    expect(issueOf(...replicas)).toContain(told);
  });

  it('needs a list of replicas', () => {
    expect(() => parsePresent('{}', 'plan.json', HOSTS)).toThrow(/plan\.json is not valid: replicas: got nothing/);
  });
});
