/** The end of a log. */
export interface LogTail {
  /** Which file; `host worker` for the worker's own log. */
  source: string;
  /** Oldest first. */
  lines: string[];
}
