/** The page's own script: the functions in `page/`, by their text. They may use one another, uPlot and the browser, and no variable of a file. */
import * as charts from './page/charts.ts';
import * as curves from './page/curves.ts';
import * as figures from './page/figures.ts';
import * as main from './page/main.ts';
import * as marks from './page/marks.ts';

/** All functions of the page as JavaScript; `startPage()` starts it. */
export function pageScript(): string {
  const functions = [curves, figures, marks, charts, main].flatMap((file) => Object.values(file));
  return `'use strict';\n${functions.map(String).join('\n\n')}`;
}
