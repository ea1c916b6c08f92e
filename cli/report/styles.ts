/** Lines take the colours of Okabe and Ito, darker or lighter where they would be hard to see on the page: safe for the colour-blind. */
export const STYLES = `
:root {
  color-scheme: light dark;
  --bg: #f6f6f4;
  --surface: #ffffff;
  --ink: #1b1e23;
  --ink-2: #59606a;
  --grid: #e6e7e5;
  --rule: #c9cbc8;
  --badge: #855300;
  --badge-bg: #fbefd6;
  --target: #59606a;
  --line-0: #0072b2;
  --line-1: #d55e00;
  --line-2: #009e73;
  --line-3: #c0629a;
  --line-4: #b57d00;
  --line-5: #3498d0;
  --line-6: #1b1e23;
}

@media (prefers-color-scheme: dark) {
  :root {
    --bg: #121416;
    --surface: #1a1d20;
    --ink: #e7e9ea;
    --ink-2: #a8b0b8;
    --grid: #2c3135;
    --rule: #434950;
    --badge: #f0c064;
    --badge-bg: #3a2c10;
    --target: #a8b0b8;
    --line-0: #56b4e9;
    --line-1: #f0803c;
    --line-2: #1fc296;
    --line-3: #e08fbd;
    --line-4: #f0e442;
    --line-5: #e69f00;
    --line-6: #e7e9ea;
  }
}

* { box-sizing: border-box; }

body {
  max-width: 1360px;
  margin: 0 auto;
  padding: 24px 16px 48px;
  background: var(--bg);
  color: var(--ink);
  font: 15px / 1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums;
}

h1, h2, h3, p, dl, dd, figure { margin: 0; }
h1 { font-size: 22px; line-height: 1.3; overflow-wrap: anywhere; }
h2 { font-size: 17px; line-height: 1.3; }
h3 { font-size: 14px; font-weight: 600; overflow-wrap: anywhere; }
p, figcaption, .plot { color: var(--ink-2); font-size: 14px; }

.badge {
  padding: 1px 8px;
  border-radius: 6px;
  background: var(--badge-bg);
  color: var(--badge);
}

dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 12px 0 0; font-size: 14px; }
dt { grid-column: 1; color: var(--ink-2); }
dd { grid-column: 2; overflow-wrap: anywhere; }

section { margin-top: 24px; padding: 16px; border-radius: 10px; background: var(--surface); }
section > label { display: block; margin-top: 8px; font-size: 14px; }

select {
  max-width: 100%;
  margin-left: 4px;
  padding: 5px 8px;
  border: 1px solid var(--rule);
  border-radius: 6px;
  background: var(--bg);
  color: var(--ink);
  font: inherit;
}

:focus-visible { outline: 2px solid var(--line-0); outline-offset: 2px; }

.scroll { margin-top: 12px; overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: 12.5px; }
.scroll th, .scroll td { padding: 4px 5px; text-align: left; font-weight: 400; white-space: nowrap; }
.scroll thead th { color: var(--ink-2); font-size: 11.5px; }
.scroll thead th[scope="colgroup"] { padding-bottom: 0; color: var(--ink); font-weight: 600; }
.scroll thead th[scope="colgroup"].first { text-align: center; }
.scroll .number { text-align: right; }
.scroll .first { border-left: 1px solid var(--grid); }
.scroll + p { margin-top: 10px; font-size: 13px; }
.scroll tbody { border-top: 1px solid var(--rule); }
/* Which row it is stays in sight when a narrow page scrolls sideways. */
.scroll tbody th, .scroll thead th:first-child { position: sticky; left: 0; background: var(--surface); }

.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 360px), 1fr)); gap: 20px; margin-top: 12px; }
.grid > * { min-width: 0; }
.plot { min-height: 40px; }
#rates, #deciles { margin-top: 12px; }
.grid h3 > span { margin-left: 8px; color: var(--ink-2); font-weight: 400; }

.uplot { width: 100%; font-family: inherit; }
.u-legend { margin: 4px 0 0; color: var(--ink); font-size: 13px; line-height: 1.3; text-align: left; }
.u-legend .u-label { color: var(--ink) !important; }
.u-legend .u-series > * { padding: 2px 0; }
.u-legend .u-value { min-width: 62px; padding-left: 6px !important; color: var(--ink-2); }
/* What the reader points at: a line of its own, and empty until then. */
.u-legend .u-series:first-child .u-value { padding-left: 0 !important; }
.u-legend .u-series:first-child { display: block; min-height: 22px; }
.u-inline.u-live th::after { content: none; }
@media (max-width: 600px) {
  body { padding: 16px 8px 32px; }
  section { padding: 12px 10px; }
  dl { grid-template-columns: 1fr; }
  dt, dd { grid-column: 1; }
  dt { margin-top: 6px; }
}

.sample { display: inline-block; margin-right: 6px; }
.u-select { background: rgb(128 128 128 / 25%); }
.u-hz .u-cursor-x { border-color: var(--ink-2); }
`.trim();
