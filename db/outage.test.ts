import { describe, expect, it } from 'vitest';
import { databaseOutage, queryTrouble } from './outage.ts';

const coded = (message: string, code: string) => Object.assign(new Error(message), { code });
const failed = (cause: Error) => new Error('Failed query: insert into observations ... params: [a whole batch]', { cause });

describe('a failed query', () => {
  it.each([
    coded('connect ECONNREFUSED 127.0.0.1:5432', 'ECONNREFUSED'),
    coded('the database system is starting up', '57P03'),
    new Error('Connection terminated due to connection timeout'),
    new Error('Query read timeout'),
    new Error('timeout expired'),
  ])('is an outage where Postgres is away: %s', (cause) => {
    expect(databaseOutage(failed(cause))?.detail).toMatchObject({ kind: 'unavailable', what: 'Postgres', reason: cause.message });
  });

  it.each([
    coded('integer out of range', '22003'),
    coded('relation "observations" does not exist', '42P01'),
    new TypeError('x is undefined'),
  ])('is none where it says no, or we did: %s', (cause) => {
    expect(databaseOutage(failed(cause))).toBeUndefined();
  });

  it('is told without its parameters', () => {
    expect(queryTrouble(failed(coded('integer out of range', '22003')))).toBe('integer out of range');
    expect(queryTrouble(new Error('', { cause: new AggregateError([], '') }))).toBe('AggregateError');
    expect(queryTrouble('text')).toBe('text');
  });
});
