/** Memory that whoever asks for a replay shares with the thread that does it: how far it is, and whether it is still wanted. */
export type ReplayWatch = Int32Array<SharedArrayBuffer>;

const ARRIVED = 0;
const GIVEN_UP = 1;

export function newReplayWatch(): ReplayWatch {
  return new Int32Array(new SharedArrayBuffer(8));
}

/** To be called with each request that arrives in the replay. @throws once nobody wants the answer any more */
export function countArrivals(watch: ReplayWatch): () => void {
  return () => {
    if (isGivenUp(watch)) throw new Error('nobody waits for this replay any more');
    Atomics.add(watch, ARRIVED, 1);
  };
}

export const arrivedOf = (watch: ReplayWatch) => Atomics.load(watch, ARRIVED);

export const isGivenUp = (watch: ReplayWatch) => Atomics.load(watch, GIVEN_UP) === 1;

export function giveUp(watch: ReplayWatch): void {
  Atomics.store(watch, GIVEN_UP, 1);
}
