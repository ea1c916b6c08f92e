import { describe, expect, it } from 'vitest';
import { engineBaseUrl, engineUrlSchema } from './engine-url.ts';

describe('the URL of an engine', () => {
  it.each(['http://10.0.0.5:8000', 'https://engine.local', 'http://[::1]:8000/', 'http://host:8000/behind/a/proxy', 'http://host/v1'])(
    'is %s',
    (url) => {
      expect(engineUrlSchema.parse(url)).toBe(url);
    },
  );
  it.each(['http://u:p@h:8000', 'http://h?x=1', 'http://h#x', 'ftp://h', 'h:8000', ''])('is not %j, and what is allowed is said', (url) => {
    expect(() => engineUrlSchema.parse(url)).toThrow('http(s)://HOST:PORT, without user, query and fragment');
  });
  it.each([
    ['http://h:8000/v1/', 'http://h:8000'],
    ['http://h:8000/v1', 'http://h:8000'],
    ['http://h:8000//', 'http://h:8000'],
    ['http://h/proxy/v1', 'http://h/proxy'],
    ['http://h/v1beta', 'http://h/v1beta'],
  ])('%s has requests at %s', (url, base) => {
    expect(engineBaseUrl(url)).toBe(base);
  });
});
