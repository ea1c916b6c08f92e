/** Where an engine's HTTP server is. */
import { z } from 'zod';

const ALLOWED = 'http(s)://HOST:PORT, without /v1 at its end and without user, query and fragment';

/** The paths of its API follow it, so that `/v1` would be there twice; what is left out is no part of them. */
export const engineUrlSchema = z.url({ protocol: /^https?$/, error: ALLOWED }).refine((text) => {
  if (!URL.canParse(text)) return true; // refused already
  const { username, password, search, hash, pathname } = new URL(text);
  return username + password + search + hash === '' && !/\/v1\/*$/.test(pathname);
}, ALLOWED);
