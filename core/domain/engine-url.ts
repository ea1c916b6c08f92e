/** Where an engine's HTTP server is. */
import { z } from 'zod';

const ALLOWED = 'http(s)://HOST:PORT, without user, query and fragment';

/** What is left out would be no part of the requests. */
export const engineUrlSchema = z.url({ protocol: /^https?$/, error: ALLOWED }).refine((text) => {
  if (!URL.canParse(text)) return true; // refused already
  const { username, password, search, hash } = new URL(text);
  return username + password + search + hash === '';
}, ALLOWED);

/** As clients of OpenAI's API have it, with `/v1` at its end, or without: the paths of requests bring it. */
export function engineBaseUrl(url: string): string {
  return url.replace(/\/+$/, '').replace(/\/v1$/, '');
}
