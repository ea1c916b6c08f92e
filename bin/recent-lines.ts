/** A log that goes to standard output as ever, and of which the newest lines are kept at hand. */
import { type DestinationStream, pino } from 'pino';

export interface RecentLines {
  destination: DestinationStream;
  /** Those of the process, and of one of the hosts that it serves; oldest first. */
  of(host: string): string[];
}

const KEEP = 2000;

/** @param through where the lines go besides */
export function keepRecentLines(through: DestinationStream = pino.destination(1), keep = KEEP): RecentLines {
  let lines: string[] = [];
  return {
    destination: {
      write(line) {
        through.write(line);
        lines.push(line.trimEnd());
        if (lines.length >= 2 * keep) lines = lines.slice(-keep);
      },
    },
    of: (host) =>
      lines.slice(-keep).filter((line) => {
        const named = /"host":"([^"]*)"/.exec(line)?.[1];
        return named === undefined || named === host;
      }),
  };
}
