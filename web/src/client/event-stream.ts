/** Server-sent events (WHATWG HTML, 9.2) by way of fetch: EventSource cannot send the API key. */
import { authorization } from './http.ts';

/** Takes the text of a stream in pieces of any size and calls back with the data of each event of one name. */
export function createEventParser(name: string, onData: (data: string) => void): (piece: string) => void {
  let rest = '';
  let event = '';
  let data: string[] = [];
  const dispatch = () => {
    if (event === name && data.length > 0) onData(data.join('\n'));
    event = '';
    data = [];
  };
  const take = (line: string) => {
    if (line === '') return dispatch();
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') event = value;
    else if (field === 'data') data.push(value);
  };
  return (piece) => {
    const lines = (rest + piece).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    for (const line of lines) take(line);
  };
}

export interface StreamHandlers {
  onOpen(): void;
  onData(data: string): void;
  onLost(): void;
}

const RETRY_MS = 2000;
/** The API sends a comment every 15 s: after so long without a word, the connection is dead. */
const SILENCE_MS = 40_000;

/** Follows a stream for as long as the page lives, and comes back when it breaks. */
export async function follow(path: string, event: string, handlers: StreamHandlers): Promise<never> {
  for (;;) {
    await readOnce(path, event, handlers).catch(() => undefined);
    handlers.onLost();
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function readOnce(path: string, event: string, handlers: StreamHandlers): Promise<void> {
  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(), SILENCE_MS);
  try {
    const headers = { accept: 'text/event-stream', ...authorization() };
    const response = await fetch(path, { headers, signal: abort.signal, cache: 'no-store' });
    if (!response.ok || !response.body) return;
    handlers.onOpen();
    const parse = createEventParser(event, handlers.onData);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(), SILENCE_MS);
      parse(read.value);
    }
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
}
