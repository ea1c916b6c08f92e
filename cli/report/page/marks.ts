/** How lines are told apart: by colour, dash and marker at once, so that two of the three may fail the reader. */
import type { PageDocument, PageElement, PagePath, PageWindow } from './dom.ts';

declare const document: PageDocument;
declare const window: PageWindow;

export interface Mark {
  colour: string;
  /** Lengths in CSS pixels. */
  dash: number[];
  /** Corners of the marker on a unit circle; none is the circle itself. */
  corners: [x: number, y: number][];
}

/** A colour of the theme, as the style sheet has it now. */
export function themeColour(name: string): string {
  return window.getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** 7 colours, 5 dashes and 4 markers: no two of the first 140 lines look the same. */
export function markOf(line: number): Mark {
  const dashes = [[], [9, 4], [2, 3], [12, 3, 2, 3], [5, 2]];
  const markers: Mark['corners'][] = [
    [],
    [
      [-0.85, -0.85],
      [0.85, -0.85],
      [0.85, 0.85],
      [-0.85, 0.85],
    ],
    [
      [0, -1.2],
      [1.1, 0.8],
      [-1.1, 0.8],
    ],
    [
      [0, -1.25],
      [1.25, 0],
      [0, 1.25],
      [-1.25, 0],
    ],
  ];
  return { colour: themeColour(`--line-${line % 7}`), dash: dashes[line % 5]!, corners: markers[line % 4]! };
}

/** Adds a marker to a path. */
export function addMarker(path: PagePath, { corners }: Mark, x: number, y: number, radius: number): void {
  if (corners.length === 0) {
    path.moveTo(x + radius, y);
    path.arc(x, y, radius, 0, 2 * Math.PI);
    return;
  }
  corners.forEach(([dx, dy], i) => {
    if (i === 0) path.moveTo(x + dx * radius, y + dy * radius);
    else path.lineTo(x + dx * radius, y + dy * radius);
  });
  path.closePath();
}

/** A legend's sample of a line, with its name. */
export function legendLabel(name: string, { colour, dash, corners }: Mark, withMarker: boolean): PageElement {
  const points = corners.map(([x, y]) => `${16 + 4 * x},${6 + 4 * y}`).join(' ');
  const marker = corners.length === 0 ? '<circle cx="16" cy="6" r="4"/>' : `<polygon points="${points}"/>`;
  const sample = document.createElement('span');
  sample.className = 'sample';
  sample.innerHTML = `<svg width="32" height="12" aria-hidden="true" fill="${colour}" stroke="${colour}">
    <path d="M0 6H32" stroke-width="2" stroke-dasharray="${dash.join(' ')}"/>${withMarker ? marker : ''}</svg>`;
  const label = document.createElement('span');
  // The name comes from files: as text, never as markup.
  label.append(sample, name);
  return label;
}
