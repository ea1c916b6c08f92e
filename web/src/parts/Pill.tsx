import type { Tone } from '../view/tones.ts';

/** A state in a word. */
export function Pill({ tone, children, title }: { tone: Tone; children: string; title?: string | undefined }) {
  return (
    <span class={`pill pill-${tone}`} title={title}>
      {children}
    </span>
  );
}

/** Whatever imitates accelerators says so. */
export function SimulatedBadge() {
  return (
    <span class="badge-simulated" title="Timing comes from a model of the accelerators; no accelerator is used">
      simulated
    </span>
  );
}
