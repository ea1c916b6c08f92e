/** The process of a simulated engine: `node main.js --spec FILE --address 127.0.0.1 --port N`. SIGTERM lets its streams finish. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { messageOf } from '../../core/domain/errors.ts';
import { startSimulatedEngine } from './server.ts';
import { parseSettings, type Settings } from './settings.ts';

const USAGE = 'usage: main.js --spec FILE --address ADDRESS --port PORT';

function fail(message: string, exitCode: number): never {
  console.error(message);
  process.exit(exitCode);
}

function readArguments(): { specFile: string; address: string; port: number } {
  const options = { spec: { type: 'string' }, address: { type: 'string' }, port: { type: 'string' } } as const;
  const { spec, address, port } = attempt(
    () => parseArgs({ options }).values,
    (reason) => `${reason}\n${USAGE}`,
    2,
  );
  if (!spec) fail(`--spec: got nothing, allowed is a file with an EngineSpec in JSON\n${USAGE}`, 2);
  if (!address) fail(`--address: got nothing, allowed is an address to listen on, e.g. 127.0.0.1\n${USAGE}`, 2);
  if (!port || !/^\d{1,5}$/.test(port) || Number(port) > 65_535)
    fail(`--port: got ${port ?? 'nothing'}, allowed is a port from 0 to 65535\n${USAGE}`, 2);
  return { specFile: spec, address, port: Number(port) };
}

function readSettings(file: string): Settings {
  const text = attempt(
    () => readFileSync(file, 'utf8'),
    (reason) => `--spec: ${reason}`,
    2,
  );
  const spec: unknown = attempt(
    () => JSON.parse(text),
    (reason) => `--spec: ${file} is not JSON: ${reason}`,
    2,
  );
  return attempt(
    () => parseSettings(spec),
    (reason) => `--spec: ${file}: ${reason}`,
    2,
  );
}

function attempt<T>(action: () => T, describe: (reason: string) => string, exitCode: number): T {
  try {
    return action();
  } catch (error) {
    return fail(describe(messageOf(error)), exitCode);
  }
}

const { specFile, address, port } = readArguments();
const settings = readSettings(specFile);
const engine = await startSimulatedEngine(settings, { address, port }, (lastWords) => fail(lastWords, 1)).catch((error) =>
  fail(`cannot listen: ${messageOf(error)}`, 1),
);
console.log(
  `simulated engine ${settings.replicaId}: imitates ${settings.description} on ${engine.url}, loads for ${settings.loadSeconds} s`,
);

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, async () => {
    console.log(`${signal}: finishing the running requests, for at most ${settings.graceSeconds} s`);
    await engine.close();
    process.exit(0);
  });
}
