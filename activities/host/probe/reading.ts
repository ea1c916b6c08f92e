/** What a parser makes of a tool's output, and what parsers have in common. */
import type { ProbeProblem } from '../../../core/domain/host-probe.ts';

export const MIB = 1024 ** 2;

/** A whole device that works. */
export interface Device {
  index: number;
  name: string;
  /** null where the tool does not say. */
  memoryBytes: number | null;
}

export interface Reading {
  devices: Device[];
  problems: Pick<ProbeProblem, 'kind' | 'message'>[];
  /** Is this the whole list? Words of failure are none. */
  listed: boolean;
}

/** How much of a device's memory is in use. */
export interface MemoryUse {
  index: number;
  totalBytes: number;
  usedBytes: number;
  /** By whom, e.g. `pid 4242 (python3)`; empty where the tool does not say. */
  holders: string[];
}

/** Two devices and what is between them, the lower index first. */
export interface LinkPair {
  kind: 'nvlink' | 'xgmi' | 'pcie';
  pair: [number, number];
}

export const linesOf = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);

/** `81559`, `81559 MiB` */
export function mebibytes(text: string | undefined): number | null {
  const [, number] = /^(\d+)(?: MiB)?$/.exec(text ?? '') ?? [];
  return number === undefined ? null : Number(number) * MIB;
}

/** The JSON of an output that may begin with warnings; undefined where there is none. */
export function jsonIn(text: string): unknown {
  const lines = text.split('\n');
  const first = lines.findIndex((line) => /^\s*(\[\s*(\{|\]|$)|\{)/.test(line));
  if (first < 0) return undefined;
  try {
    return JSON.parse(lines.slice(first).join('\n'));
  } catch {
    return undefined;
  }
}
