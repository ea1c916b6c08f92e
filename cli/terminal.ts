/** Where a command writes, and what it knows of its surroundings. */
export interface Terminal {
  env: Readonly<Record<string, string | undefined>>;
  /** Results. */
  out(text: string): void;
  /** Errors, hints and progress: never part of a result. */
  err(text: string): void;
  /** Is stdout a person's terminal? */
  interactive: boolean;
  /** Characters in a line; infinite where nobody looks. */
  columns(): number;
  /** Characters in a line of stderr; null where that is no person's terminal, and progress is not to be drawn. */
  errColumns(): number | null;
  colour: boolean;
  stdin(): Promise<string>;
  /** What the process is to end with, once it has nothing more to do. */
  setExitCode(code: number): void;
  fetch: typeof globalThis.fetch;
}

/** A terminal that does not know how wide it is says 0, or nothing. */
const UNKNOWN_COLUMNS = 80;

export function processTerminal(): Terminal {
  const { env, stdout, stderr } = process;
  const interactive = stdout.isTTY === true;
  return {
    env,
    out: (text) => {
      if (stdout.listenerCount('error', endQuietly) === 0) stdout.on('error', endQuietly);
      stdout.write(text);
    },
    err: (text) => void stderr.write(text),
    interactive,
    columns: () => (interactive ? stdout.columns || UNKNOWN_COLUMNS : Number.POSITIVE_INFINITY),
    errColumns: () => (stderr.isTTY ? stderr.columns || UNKNOWN_COLUMNS : null),
    // https://no-color.org: any value but the empty one.
    colour: interactive && !env.NO_COLOR,
    async stdin() {
      const chunks: Buffer[] = [];
      for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks).toString('utf8');
    },
    setExitCode: (code) => {
      process.exitCode = code;
    },
    fetch: globalThis.fetch,
  };
}

/** Whoever reads has had enough (`| head`): that is no failure. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
}
