/** Tables as CSV (RFC 4180): a header, CRLF, quotes where they are needed, and nothing that a spreadsheet would take for a formula. */

export type CsvValue = string | number | null;

/** Header → value of a row. */
export type CsvColumns<T> = Record<string, (row: T) => CsvValue>;

export const CSV_TYPE = 'text/csv; charset=utf-8; header=present';

export function csvOf<T>(columns: CsvColumns<T>, rows: readonly T[]): string {
  const lines = [Object.keys(columns), ...rows.map((row) => Object.values(columns).map((column) => fieldOf(column(row))))];
  return lines.map((fields) => `${fields.join(',')}\r\n`).join('');
}

/** Digits after the point: a millionth of a dollar. */
const PRECISION = 1e6;

function fieldOf(value: CsvValue): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(Math.round(value * PRECISION) / PRECISION);
  // Spreadsheets read a text that begins so as a formula; an apostrophe tells them that it is none.
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
