/** Where the program of a simulated engine lies. Engines run prebuilt JavaScript, also when the host worker itself runs from TypeScript. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Path of `engines/simulated/main.js` in `dist`; it may not have been built yet. */
export const simulatedEngineEntry = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../dist/engines/simulated/main.js' : './main.js', import.meta.url),
);

export const isSimulatedEngineBuilt = () => existsSync(simulatedEngineEntry);
