/** The one line in the header that says whether what the page shows can be believed. */
import type { Connection, Readiness } from '../state/cluster.ts';
import type { Tone } from './tones.ts';

export function health(ready: Readiness | null, live: Connection): { tone: Tone; label: string; detail: string } {
  if (live === 'lost') return { tone: 'bad', label: 'The API does not answer: shown is what was last known', detail: 'trying again' };
  if (ready === null || live === 'connecting') return { tone: 'quiet', label: 'Connecting…', detail: '' };
  const detail = Object.entries(ready.checks)
    .map(([name, state]) => `${name}: ${state}`)
    .join(', ');
  if (ready.ready) return { tone: 'good', label: 'Healthy, live', detail };
  const away = Object.entries(ready.checks).flatMap(([name, state]) => (state === 'ok' ? [] : [name]));
  return { tone: 'bad', label: `Away: ${away.join(', ')}`, detail };
}
