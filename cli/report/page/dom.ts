/** What the page's functions use of a browser. The types of the whole DOM would hold for all of the project, where there is none. */
export interface PageElement {
  textContent: string;
  innerHTML: string;
  className: string;
  value: string;
  readonly clientWidth: number;
  append(...children: (PageElement | string)[]): void;
  replaceChildren(...children: (PageElement | string)[]): void;
  addEventListener(event: string, listener: () => void): void;
}

export interface PageDocument {
  readonly documentElement: PageElement;
  getElementById(id: string): PageElement | null;
  createElement(tag: string): PageElement;
}

export interface PageWindow {
  readonly devicePixelRatio: number;
  addEventListener(event: string, listener: () => void): void;
  matchMedia(query: string): { addEventListener(event: string, listener: () => void): void };
  getComputedStyle(element: PageElement): { getPropertyValue(name: string): string };
}

/** A `Path2D`, as far as markers need one. */
export interface PagePath {
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
  closePath(): void;
  arc(x: number, y: number, radius: number, from: number, to: number): void;
}
