import { describe, expect, it } from 'vitest';
import { exampleOf, structureOf } from './structure.ts';

const tool = (name: string, parameters?: Record<string, unknown>) => ({ type: 'function' as const, function: { name, parameters } });
const weather = tool('weather', {
  type: 'object',
  properties: { city: { type: 'string' }, unit: { enum: ['celsius', 'kelvin'] }, days: { type: 'integer', minimum: 2 } },
});

describe('the form of an answer', () => {
  it('is a call of the first tool, or of the named one, with arguments by its schema', () => {
    const called = structureOf({ tools: [weather, tool('other')] }, 'user')!;
    expect(called.tool).toBe('weather');
    expect(JSON.parse(called.text)).toEqual({ city: 'simulated', unit: 'celsius', days: 2 });
    const named = { tools: [weather, tool('other')], tool_choice: { function: { name: 'other' } } };
    expect(structureOf(named, 'user')).toEqual({ tool: 'other', text: '{}' });
  });
  it('is free once a tool has answered or none may be called, unless one must be', () => {
    expect(structureOf({ tools: [weather] }, 'tool')).toBeNull();
    expect(structureOf({ tools: [weather], tool_choice: 'none' }, 'user')).toBeNull();
    expect(structureOf({ tools: [weather], tool_choice: 'required' }, 'tool')?.tool).toBe('weather');
    expect(structureOf({}, 'user')).toBeNull();
  });
  it('refuses the choice of what is no tool', () => {
    expect(() => structureOf({ tools: [weather], tool_choice: { function: { name: 'x' } } }, 'user')).toThrow(/tool_choice: got "x"/);
  });
  it('is JSON where that is asked for', () => {
    expect(JSON.parse(structureOf({ response_format: { type: 'json_object' } }, 'user')!.text)).toMatchObject({ simulated: true });
    const schema = { type: 'object', properties: { ok: { type: 'boolean' } } };
    expect(structureOf({ response_format: { type: 'json_schema', json_schema: { schema } } }, 'user')).toEqual({
      tool: null,
      text: '{"ok":true}',
    });
    expect(structureOf({ response_format: { type: 'text' } }, 'user')).toBeNull();
  });
});

describe('a value by a schema', () => {
  it.each([
    [{ const: 7 }, 7],
    [{ type: ['string', 'null'], maxLength: 3 }, 'sim'],
    [{ type: 'array', items: { type: 'null' }, minItems: 2 }, [null, null]],
    [{ anyOf: [{ type: 'number', maximum: 0.5 }, {}] }, 0.5],
    [{ $ref: '#/$defs/a', $defs: { a: { properties: { b: { type: 'boolean' } } } } }, { b: true }],
    [{ allOf: [{ type: 'object' }, { properties: { x: { const: 1 } } }] }, { x: 1 }],
  ])('%j', (schema, value) => {
    expect(exampleOf(schema)).toEqual(value);
  });
  it('ends where a schema contains itself', () => {
    const tree = { type: 'object', properties: { child: { $ref: '#' } } };
    expect(JSON.stringify(exampleOf(tree))).toContain('null');
  });
});
