import { expect, it } from 'vitest';
import { csvOf } from './csv.ts';

const of = (...values: (string | number | null)[]) =>
  csvOf({ text: (v: string | number | null) => v }, values)
    .split('\r\n')
    .slice(1, -1);

it('has a header, and ends every line with CRLF', () => {
  expect(csvOf({ name: (r: { n: string }) => r.n, spent_usd: () => 1.5 }, [{ n: 'chat' }])).toBe('name,spent_usd\r\nchat,1.5\r\n');
  expect(csvOf({ name: () => '' }, [])).toBe('name\r\n');
});

it('quotes what needs it', () => {
  expect(of('a,b', 'say "hi"', 'plain')).toEqual(['"a,b"', '"say ""hi"""', 'plain']);
  expect(csvOf({ text: () => 'two\nlines' }, [0])).toBe('text\r\n"two\nlines"\r\n');
});

it('writes nothing that is taken for a formula', () => {
  expect(of('=1+1', '+1', '-1', '@SUM(A1)', '=HYPERLINK("http://x","y")')).toEqual([
    "'=1+1",
    "'+1",
    "'-1",
    "'@SUM(A1)",
    `"'=HYPERLINK(""http://x"",""y"")"`,
  ]);
});

it('writes numbers in full, to a millionth, and what is not known as nothing', () => {
  expect(of(-1.5, 0.1 + 0.2, 1e20, 1e-7, 0.000002, null, 0)).toEqual(['-1.5', '0.3', '100000000000000000000', '0', '0.000002', '', '0']);
});
