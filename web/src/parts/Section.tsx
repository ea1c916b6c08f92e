import type { ComponentChildren } from 'preact';
import type { Snapshot } from '../state/resource.ts';

interface SectionProps<T> {
  id: string;
  title: string;
  /** A few words beside the title. */
  note?: ComponentChildren;
  /** Above the list, whatever is in it. */
  head?: ComponentChildren;
  of: Snapshot<T[]>;
  /** Said where there is nothing. */
  empty: ComponentChildren;
  children: (items: T[]) => ComponentChildren;
}

/** One section of the page: its list, or that it is loading, empty, or could not be read. */
export function Section<T>({ id, title, note, head, of, empty, children }: SectionProps<T>) {
  const { value, error } = of;
  return (
    <section class="section" id={id} aria-labelledby={`${id}-title`}>
      <header class="section-head">
        <h2 id={`${id}-title`}>{title}</h2>
        {note && <p class="note">{note}</p>}
      </header>
      {head}
      {error && <p class="trouble">Not up to date: {error.message}</p>}
      {value === null && !error && <p class="quiet">Loading…</p>}
      {value !== null && (value.length === 0 ? <p class="quiet">{empty}</p> : children(value))}
    </section>
  );
}
