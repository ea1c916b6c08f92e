import { describe, expect, it } from 'vitest';
import { replicaSpec } from '../../test/support/simulating.ts';
import { UellmError } from '../domain/errors.ts';
import { largestRate } from './search.ts';
import { reportSimulation, runSimulation, type SimulationInput, simulate } from './simulation.ts';
import { sloFileSchema } from './slo-classes.ts';
import { chatWorkload } from './workload.ts';

const { classes } = sloFileSchema.parse({
  classes: [
    { name: 'chat', share: 3, ttftMs: 1000, tpotMs: 60 },
    { name: 'batch', share: 1, e2eMs: 120_000, priority: -1 },
  ],
});
const stream = chatWorkload({ seed: 'simulation', requestsPerSecond: 10 });
const trace = Array.from({ length: 400 }, () => ({ ...stream.next().value, class: undefined }));
const input: SimulationInput = {
  trace,
  replicas: [replicaSpec({ id: 'a', usdPerHour: 3 }), replicaSpec({ id: 'b', usdPerHour: 3 })],
  classes,
  policy: 'edf',
  predictor: 'learned',
  rateScale: 1,
  seed: 1,
};

describe('a simulation', () => {
  it('is the same for the same input, and reports the run that it returns', () => {
    const run = runSimulation(input);
    expect(run).toEqual(runSimulation(input));
    expect(reportSimulation(input).run).toEqual(run);
    expect(run).toMatchObject({ policy: 'edf', predictor: 'learned', rateScale: 1, seed: 1, requests: 400, rejected: 0 });
    expect(run.attainment).toBeGreaterThan(0.9);
    expect(Object.keys(run.attainmentByClass)).toEqual(['batch', 'chat']);
    expect(JSON.parse(JSON.stringify(run))).toEqual(run);
  });
  it('has the same requests of the same classes at every rate, sooner', () => {
    const [slow, quick] = [1, 8].map((rateScale) => simulate({ ...input, rateScale }).requests);
    expect(quick!.map((r) => [r.class, r.inputTokens])).toEqual(slow!.map((r) => [r.class, r.inputTokens]));
    expect(quick!.at(-1)!.arrivalMs).toBeCloseTo(slow!.at(-1)!.arrivalMs / 8, 6);
  });
  it('attains less at a higher rate, so that a search finds where', () => {
    const run = (rateScale: number) => runSimulation({ ...input, trace: trace.slice(0, 150), rateScale });
    const found = largestRate(run, { attainment: 0.9, precision: 0.1 })!;
    expect(found.attainment).toBeGreaterThanOrEqual(0.9);
    expect(run(found.rateScale * 1.5).attainment).toBeLessThan(0.9);
  });
  it.each([
    [{ policy: 'best' }, /policy.*"best"/],
    [{ predictor: 'best' }, /predictor.*"best"/],
    [{ trace: [{ ...trace[0]!, class: 'vip' }] }, /class of request 1.*"vip".*chat, batch/],
  ])('says what is wrong with %j', (parts, message) => {
    expect(() => runSimulation({ ...input, ...parts })).toThrow(UellmError);
    expect(() => runSimulation({ ...input, ...parts })).toThrow(message);
  });
  it('of requests that are all refused at once has figures', () => {
    const reported = reportSimulation({ ...input, trace: [{ arrivalMs: 0, inputTokens: 1e6, outputTokens: 1 }] });
    expect(reported.run).toMatchObject({
      rejected: 1,
      durationSeconds: 0,
      goodputPerSecond: 0,
      outputTokensPerSecond: 0,
      gpuUtilisation: 0,
    });
    // JSON knows no NaN: it would come back as null.
    expect(JSON.parse(JSON.stringify(reported))).toEqual(reported);
  });
  it('takes an option that is undefined for one that is not given', () => {
    const nothing = {
      stepNoise: undefined,
      engineStateAgeMs: undefined,
      streamDelayMs: undefined,
      modelFactor: undefined,
      onProgress: undefined,
    };
    expect(runSimulation({ ...input, ...nothing })).toEqual(runSimulation(input));
  });
});
