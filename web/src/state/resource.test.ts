import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { announceAll, createFamily, createResource } from './resource.ts';

/** A load that answers when it is told to. */
function manual() {
  const calls: { answer: (value: number) => void; fail: (error: Error) => void }[] = [];
  const load = () => new Promise<number>((answer, fail) => calls.push({ answer, fail }));
  return { calls, load };
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

describe('createResource', () => {
  it('holds what was read last, and tells its subscribers', async () => {
    const { calls, load } = manual();
    const resource = createResource(load);
    let told = 0;
    const stop = resource.subscribe(() => told++);
    calls[0]?.answer(1);
    await settled();
    expect(resource.snapshot).toEqual({ value: 1, error: null });
    stop();
    const again = resource.refresh();
    calls[1]?.answer(2);
    await again;
    expect(resource.snapshot.value).toBe(2);
    expect(told).toBe(1);
  });

  it('reads once more for all that asked while a read was under way', async () => {
    const { calls, load } = manual();
    const resource = createResource(load);
    const reads = [resource.refresh(), resource.refresh(), resource.refresh()];
    expect(calls).toHaveLength(1);
    calls[0]?.answer(1);
    await settled();
    expect(calls).toHaveLength(2);
    calls[1]?.answer(2);
    await Promise.all(reads);
    expect(calls).toHaveLength(2);
    expect(resource.snapshot.value).toBe(2);
  });

  it('keeps the value when a read fails, and says why', async () => {
    const { calls, load } = manual();
    const resource = createResource(load);
    const first = resource.refresh();
    calls[0]?.answer(1);
    await first;
    const second = resource.refresh();
    calls[1]?.fail(new Error('away'));
    await second;
    expect(resource.snapshot).toMatchObject({ value: 1, error: { message: 'away' } });
  });
});

describe('a change that is announced', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('is read where somebody looks, and only there', async () => {
    const load = vi.fn(async () => 1);
    const resource = createResource(load);
    resource.announce();
    announceAll();
    expect(load).not.toHaveBeenCalled();
    const stop = resource.subscribe(() => undefined);
    await vi.advanceTimersByTimeAsync(0);
    announceAll();
    expect(load).toHaveBeenCalledTimes(2);
    stop();
    resource.announce();
    expect(load).toHaveBeenCalledTimes(2);
  });

  it('is read with others of its kind once the spacing is over', async () => {
    const load = vi.fn(async () => 1);
    const resource = createResource(load, { spacingMs: 1000 });
    const stop = resource.subscribe(() => undefined);
    await vi.advanceTimersByTimeAsync(400);
    for (let i = 0; i < 5; i++) resource.announce();
    await vi.advanceTimersByTimeAsync(599);
    expect(load).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(load).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(5000);
    expect(load).toHaveBeenCalledTimes(2);
    resource.announce();
    expect(load).toHaveBeenCalledTimes(3);
    stop();
  });

  it('is read all the same where the timer comes early', async () => {
    const load = vi.fn(async () => 1);
    const resource = createResource(load, { spacingMs: 1000 });
    const stop = resource.subscribe(() => undefined);
    await vi.advanceTimersByTimeAsync(400);
    resource.announce();
    const clock = vi.spyOn(performance, 'now').mockReturnValueOnce(performance.now() + 599.5);
    await vi.advanceTimersByTimeAsync(700);
    expect(load).toHaveBeenCalledTimes(2);
    clock.mockRestore();
    stop();
  });

  it('reaches every member of a family that is looked at', async () => {
    const load = vi.fn(async (key: string) => key);
    const family = createFamily(load);
    expect(family.of('a')).toBe(family.of('a'));
    family.of('a').subscribe(() => undefined);
    await vi.advanceTimersByTimeAsync(0);
    family.of('b');
    family.announce();
    expect(load.mock.calls).toEqual([['a'], ['a']]);
  });
});
