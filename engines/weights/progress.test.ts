import { describe, expect, it } from 'vitest';
import { describeBytes, describeProgress, describeSeconds, ProgressMeter, whileAdvancing } from './progress.ts';

describe('progress', () => {
  it('tells bytes, rate over the last half minute and time left', () => {
    const meter = new ProgressMeter(100e9);
    expect(describeProgress(meter.at(0, 0))).toBe('0 kB of 100.0 GB (0 %), 0 kB/s');
    expect(meter.at(10e9, 100_000)).toMatchObject({ secondsLeft: null }); // what was 100 s ago no longer counts
    expect(describeProgress(meter.at(12e9, 110_000))).toBe('12.0 GB of 100.0 GB (12 %), 200 MB/s, 7 min left');
    expect(describeProgress(meter.at(100e9, 120_000))).toBe('100.0 GB of 100.0 GB (100 %), 4.5 GB/s, 0 s left');
  });

  it.each([
    [999, '1 kB', '17 min'],
    [2e6, '2 MB', '555.6 h'],
    [50, '1 kB', '50 s'],
  ])('says %d in words', (value, bytes, seconds) => {
    expect([describeBytes(value), describeSeconds(value)]).toEqual([bytes, seconds]);
  });
});

describe('work that must advance', () => {
  const options = { what: 'a share', totalBytes: 10, stallMs: 40, onProgress: () => {}, signal: new AbortController().signal };

  it('is given up when nothing has advanced for the limit, however it hangs', async () => {
    const told: AbortSignal[] = [];
    const work = async (signal: AbortSignal) => {
      told.push(signal);
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    };
    await expect(whileAdvancing(work, { ...options, bytes: () => 3 })).rejects.toMatchObject({
      detail: { kind: 'unavailable', what: 'a share', reason: 'nothing has advanced for 1 s' },
    });
    expect(told[0]!.aborted).toBe(true);
  });

  it('takes as long as bytes advance', async () => {
    let looks = 0;
    const bytes = () => {
      looks += 1;
      return looks;
    };
    const work = async () => {
      await expect.poll(() => looks, { interval: 5 }).toBeGreaterThan(6); // each look is a limit's time after the last
      return 'done';
    };
    expect(await whileAdvancing(work, { ...options, bytes })).toBe('done');
  });

  it('ends with the reason of whoever cancels it, after the work has ended', async () => {
    const cancel = new AbortController();
    let ended = false;
    const work = (signal: AbortSignal) =>
      new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => {
          setTimeout(() => {
            ended = true;
            reject(new Error('the client has ended'));
          }, 20);
        });
        cancel.abort(new Error('cancelled'));
      });
    await expect(whileAdvancing(work, { ...options, stallMs: 60_000, bytes: () => 0, signal: cancel.signal })).rejects.toThrow('cancelled');
    expect(ended).toBe(true);
  });
});
