/** Style and script of the documentation page, served from here: the page loads nothing from elsewhere. */

export const STYLE = `
:root { color-scheme: light dark; --line: light-dark(#d8dee6, #343b45); --soft: light-dark(#f4f6f9, #1c2128); --text: light-dark(#1d2530, #d6dde6);
  --get: light-dark(#0b6bcb, #6cb2ff); --post: light-dark(#1a7f37, #5fd07f); --put: light-dark(#9a6700, #e3b341); --delete: light-dark(#c62828, #ff8a80); }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 70rem; padding: 1rem 1.5rem 6rem; font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: light-dark(#fff, #14181d); }
h1 { margin: 0.5rem 0; } h2 { margin: 2rem 0 0.5rem; } h4 { margin: 1rem 0 0.3rem; }
code, pre, textarea, .path { font: 13px/1.5 ui-monospace, monospace; }
pre { background: var(--soft); padding: 0.7rem; overflow: auto; max-height: 30rem; border-radius: 6px; }
details { border: 1px solid var(--line); border-radius: 6px; margin: 0.4rem 0; padding: 0.4rem 0.8rem; }
summary { cursor: pointer; } summary .what { opacity: 0.75; margin-left: 0.6rem; }
.method { display: inline-block; min-width: 4.2rem; font-weight: 700; text-transform: uppercase; }
.get { color: var(--get); } .post { color: var(--post); } .put { color: var(--put); } .delete { color: var(--delete); }
label { display: block; margin: 0.4rem 0; } label span { display: inline-block; min-width: 12rem; }
input, textarea, button { font: inherit; color: inherit; background: var(--soft); border: 1px solid var(--line); border-radius: 4px; padding: 0.25rem 0.5rem; }
input { width: min(24rem, 100%); } textarea { width: 100%; min-height: 8rem; font-family: ui-monospace, monospace; } button { cursor: pointer; padding: 0.3rem 1rem; }
a { color: var(--get); } nav a { margin-right: 0.8rem; } small { opacity: 0.75; }
`;

/** Sends what a form says and shows the answer. The key stays in its input: nothing is stored. */
export const SCRIPT = `
for (const form of document.querySelectorAll('form[data-method]')) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const output = form.querySelector('output');
    let path = form.dataset.path;
    const query = new URLSearchParams();
    const headers = {};
    for (const input of form.querySelectorAll('input[data-in]')) {
      if (input.dataset.in === 'path') path = path.replace('{' + input.name + '}', encodeURIComponent(input.value));
      else if (input.value === '') continue;
      else if (input.dataset.in === 'query') query.append(input.name, input.value);
      else headers[input.name] = input.value;
    }
    const key = document.querySelector('#api-key').value;
    if (key) headers.authorization = 'Bearer ' + key;
    const body = form.querySelector('textarea')?.value;
    if (body) headers['content-type'] = 'application/json';
    output.textContent = 'sending ...';
    const began = performance.now();
    try {
      const answer = await fetch(path + (query.size ? '?' + query : ''), { method: form.dataset.method, headers, body: body || undefined });
      const shown = ['content-type', 'etag', 'location', 'retry-after'].flatMap((name) => (answer.headers.get(name) ? [name + ': ' + answer.headers.get(name)] : []));
      const type = answer.headers.get('content-type') ?? '';
      if (type.startsWith('text/event-stream')) {
        await answer.body.cancel();
        output.textContent = answer.status + ' a stream: use EventSource or curl -N';
        return;
      }
      let text = await answer.text();
      if (type.includes('json')) text = JSON.stringify(JSON.parse(text), null, 2);
      output.textContent = answer.status + ' in ' + Math.round(performance.now() - began) + ' ms\\n' + shown.join('\\n') + '\\n\\n' + text;
    } catch (error) {
      output.textContent = String(error);
    }
  });
}
const open = () => document.getElementById(decodeURIComponent(location.hash.slice(1)))?.setAttribute('open', '');
addEventListener('hashchange', open);
open();
`;
