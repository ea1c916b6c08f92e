/** Bodies that are no requests, or requests in disguise. What is refused is refused by name; what passes is what the engine would read. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { routedReplica } from '../../test/support/gateway.ts';
import { type BesiegedGateway, errorOf, startBesieged } from '../../test/support/hostile.ts';
import { whole } from '../../test/support/upstream.ts';

let gateway: BesiegedGateway;
beforeAll(async () => {
  gateway = await startBesieged();
  gateway.engine.answer = whole;
  // Two, so that prompts are looked at for their beginnings too.
  gateway.serve(
    routedReplica({ replicaId: 'r1', endpoint: gateway.engine.url }),
    routedReplica({ replicaId: 'r2', endpoint: gateway.engine.url }),
  );
});
afterAll(() => gateway.close());

type Api = 'completions' | 'chat/completions';
const post = (body: string | Buffer, api: Api = 'completions') =>
  gateway.beside(() => fetch(`${gateway.url}/v1/${api}`, { method: 'POST', body }));

/** The body as the engine got it. */
async function passed(body: string | Buffer, api?: Api): Promise<string> {
  const response = await post(body, api);
  expect(response.status).toBe(200);
  await response.text();
  return gateway.engine.received.at(-1)!.text;
}

async function refused(body: string | Buffer, api?: Api) {
  const before = gateway.engine.received.length;
  const response = await post(body, api);
  expect(response.status).toBe(400);
  expect(gateway.engine.received).toHaveLength(before);
  return errorOf(response);
}

const deep = (open: string, close: string, levels = 100_000) => open.repeat(levels) + close.repeat(levels);

describe('what is no JSON object', () => {
  it.each([
    ['nothing', ''],
    ['blanks', ' \n\t'],
    ['a word', 'hello'],
    ['half an object', '{"model":"chat","prompt":"x"'],
    ['half a string', '{"model":"chat","prompt":"x'],
    ['more than an object', '{"model":"chat","prompt":"x"}{"model":"chat"}'],
    ['an object and a brace', '{"model":"chat","prompt":"x"}}'],
    ['a comma too many', '{"model":"chat","prompt":"x",}'],
    ['a comma at the front', '{,"model":"chat","prompt":"x"}'],
    ['a comma too few', '{"model":"chat" "prompt":"x"}'],
    ['no colon', '{"model" "chat"}'],
    ['a key without quotes', '{model:"chat","prompt":"x"}'],
    ['single quotes', "{'model':'chat'}"],
    ['a comment', '{"model":"chat",/* */"prompt":"x"}'],
    ['NaN, which Python would take', '{"model":"chat","prompt":"x","temperature":NaN}'],
    ['Infinity', '{"model":"chat","prompt":"x","temperature":Infinity}'],
    ['a number with a plus', '{"model":"chat","prompt":"x","n":+1}'],
    ['a number that begins with 0', '{"model":"chat","prompt":"x","n":01}'],
    ['half a number', '{"model":"chat","prompt":"x","n":1.}'],
    ['a minus alone', '{"model":"chat","prompt":"x","n":-}'],
    ['a word that is cut', '{"model":"chat","prompt":"x","stream":tru}'],
    ['a word that goes on', '{"model":"chat","prompt":"x","stream":truely}'],
    ['a raw line feed in a string', '{"model":"chat","prompt":"x\ny"}'],
    ['a raw NUL in a string', '{"model":"chat","prompt":"x\0y"}'],
    ['a raw NUL behind it', '{"model":"chat","prompt":"x"}\0'],
    ['an unknown escape', '{"model":"chat","prompt":"\\x41"}'],
    ['a cut escape', '{"model":"chat","prompt":"\\u12"}'],
    ['a blank that is none', '{\u00a0"model":"chat","prompt":"x"}'],
    ['a byte order mark', '\ufeff{"model":"chat","prompt":"x"}'],
    ['UTF-16', Buffer.from('{"model":"chat","prompt":"x"}', 'utf16le')],
    ['a list', '[{"model":"chat","prompt":"x"}]'],
    ['a text', '"model"'],
    ['null', 'null'],
    ['a number', '7'],
    ['brackets that do not match', '{"model":"chat","prompt":["x"}]'],
    ['brackets that do not match, in what nobody reads', '{"model":"chat","prompt":"x","unknown":[{]}}'],
    ['a broken value in what nobody reads', '{"model":"chat","prompt":"x","unknown":{"a":[1,2,,3]}}'],
    ['100,000 levels that never end', `{"model":"chat","prompt":"x","unknown":${'['.repeat(100_000)}`],
    ['100,000 levels alone', deep('[', ']')],
    ['invalid UTF-8', Buffer.concat([Buffer.from('{"model":"chat","prompt":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')])],
    ['invalid UTF-8 in a key', Buffer.concat([Buffer.from('{"model":"chat","prompt":"x","'), Buffer.from([0xff]), Buffer.from('":1}')])],
    ['an overlong slash', Buffer.concat([Buffer.from('{"model":"chat","prompt":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')])],
    [
      'a surrogate in UTF-8',
      Buffer.concat([Buffer.from('{"model":"chat","prompt":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]),
    ],
  ])('%s is refused', async (_, body) => {
    expect(await refused(body)).toMatchObject({ type: 'invalid_request_error', code: 'malformed_json' });
  });

  it('and its text is not repeated', async () => {
    expect((await refused('{"model":"chat","prompt":"the secret" oops}')).message).not.toMatch(/secret|oops/);
  });
});

describe('a field of the wrong type is refused by its name', () => {
  const shared: [string, string][] = [
    ...['7', 'null', 'true', '[]', '{}', '""', '["chat"]'].map((value): [string, string] => ['model', value]),
    ...['"true"', '1', '[]', '{}'].map((value): [string, string] => ['stream', value]),
    ...['true', '"x"', '[]', '7'].map((value): [string, string] => ['stream_options', value]),
    ...['"1"', '0', '-1', '1.5', '[]', '{}', 'true', '1e400', '1e308', '1000000'].map((value): [string, string] => ['n', value]),
    ...['"1"', '-1', '1.5', '[]', '{}', 'true', '1e400', '-1e308'].map((value): [string, string] => ['max_tokens', value]),
    ...['"1"', '-1', '1.5', '[]', '{}', 'true', '1e400'].map((value): [string, string] => ['max_completion_tokens', value]),
  ];
  const body = (fields: object, name: string, value: string) =>
    `${JSON.stringify({ model: 'chat', ...fields, [name]: '@' }).replace('"@"', () => value)}`;

  it.each(shared)('%s: %s', async (name, value) => {
    expect(await refused(body({ prompt: 'x' }, name, value))).toMatchObject({ code: 'invalid_value', param: name });
    expect(await refused(body({ messages: [] }, name, value), 'chat/completions')).toMatchObject({ code: 'invalid_value', param: name });
  });

  it.each(['7', 'true', '{}', '[{}]', '[null]', '["a",7]', '[[7],"a"]', '[["a"]]', '[[[7]]]', '[true]'])('prompt: %s', async (value) => {
    expect(await refused(body({}, 'prompt', value))).toMatchObject({ code: 'invalid_value', param: 'prompt' });
  });

  it.each(['7', 'null', '"x"', '{}', '[7]', '[null]', '["x"]', '[[]]', '[{"role":"user"},7]'])('messages: %s', async (value) => {
    const error = await refused(body({}, 'messages', value), 'chat/completions');
    expect(error).toMatchObject({ code: 'invalid_value', param: 'messages' });
  });

  it.each(['"yes"', '1', '[]', '{}'])('stream_options.include_usage: %s', async (value) => {
    const error = await refused(`{"model":"chat","prompt":"x","stream":true,"stream_options":{"include_usage":${value}}}`);
    expect(error).toMatchObject({ code: 'invalid_value', param: 'stream_options.include_usage' });
  });

  it('also where its value is nested too deeply to be shown', async () => {
    expect(await refused(`{"model":"chat","prompt":${deep('[', ']')}}`)).toMatchObject({ param: 'prompt' });
    expect(await refused(`{"model":${deep('{"a":', '}').replace('}', '0}')},"prompt":"x"}`)).toMatchObject({ param: 'model' });
  });

  it('and stream options that cannot be written down again', async () => {
    const options = `{"include_usage":false,"x":${deep('[', ']')}}`;
    const error = await refused(`{"model":"chat","prompt":"x","stream":true,"stream_options":${options}}`);
    expect(error).toMatchObject({ code: 'invalid_value', param: 'stream_options' });
  });

  it('and a missing one too', async () => {
    expect(await refused('{"prompt":"x"}')).toMatchObject({ param: 'model' });
    expect(await refused('{"model":"chat"}', 'chat/completions')).toMatchObject({ param: 'messages' });
  });
});

describe('what is odd but valid passes as it came', () => {
  it.each([
    ['100,000 levels in what nobody reads', `{"model":"chat","prompt":"x","unknown":${deep('[', ']')}}`],
    ['100,000 levels of objects', `{"model":"chat","prompt":"x","unknown":${deep('{"a":', '}').replace('}', '0}')}}`],
    ['a lone surrogate, escaped', '{"model":"chat","prompt":"\\ud800 x \\udc00"}'],
    ['an escaped NUL', '{"model":"chat","prompt":"a\\u0000b"}'],
    ['blanks everywhere', ' \r\n\t{ "model" : "chat" , "prompt" : "x" , "stream" : false } \n'],
    ['escaped keys', '{"mod\\u0065l":"ch\\u0061t","prompt":"x"}'],
    ['huge numbers in what nobody reads', '{"model":"chat","prompt":"x","seed":1e308,"unknown":123456789012345678901234567890}'],
    ['a limit beyond all bounds', '{"model":"chat","prompt":"x","max_tokens":1e308}'],
    ['names of prototypes', '{"model":"chat","prompt":"x","__proto__":{"stream":true},"constructor":{"prototype":{"n":7}},"toString":1}'],
    ['10,000 keys', `{"model":"chat",${Array.from({ length: 10_000 }, (_, i) => `"k${i}":${i}`).join(',')},"prompt":"x"}`],
    ['names of ours inside others', '{"x":{"model":"no-such","stream":true},"model":"chat","y":"\\"model\\":\\"no\\"","prompt":"x"}'],
    ['characters of four bytes', '{"model":"chat","prompt":"\u{1f600}","\u{1f600}":"\\ud83d\\ude00"}'],
    ['a prompt of nothing', '{"model":"chat","prompt":[]}'],
  ])('%s', async (_, body) => {
    expect(await passed(body)).toBe(body);
  });

  it.each([
    ['a role that is a list of 100,000 levels', deep('[', ']')],
    ['a role that cannot be made a text', '{"toString":1,"valueOf":2}'],
    ['a role that is a number', '7'],
  ])('%s', async (_, role) => {
    const body = `{"model":"chat","messages":[{"role":${role},"content":"x"},{"role":"user","content":[7,null,{"text":7}]}]}`;
    expect(await passed(body, 'chat/completions')).toBe(body);
  });

  it.each([
    ['of a key that comes twice the last counts', '{"model":"no-such","prompt":"x","model":"chat"}'],
    ['also where one is escaped', '{"mod\\u0065l":"no-such","prompt":"x","model":"chat"}'],
    ['also where the first would be refused', '{"model":7,"n":"x","prompt":{},"model":"chat","n":1,"prompt":"x"}'],
    ['and not one inside another', '{"model":"chat","prompt":"x","unknown":{"model":"no-such"}}'],
  ])('%s', async (_, body) => {
    expect(await passed(body)).toBe(body);
  });

  it('and what is spliced in counts, whatever came before', async () => {
    await passed('{"model":"chat","prompt":"x","stream":true,"stream_options":null,"stream_options":{"include_usage":false}}');
    expect(gateway.engine.received.at(-1)!.json.stream_options).toEqual({ include_usage: true });
  });
});

describe('what would be large as a value', () => {
  it.each([
    ['stream_options', `{"x":[${'{},'.repeat(100_000)}{}]}`],
    ['n', `[${'{},'.repeat(100_000)}{}]`],
    ['model', `"${'m'.repeat(100_000)}"`],
    ['max_tokens', `[${'1,'.repeat(100_000)}1]`],
  ])('is refused by its size: %s', async (field, value) => {
    const body = `{"model":"chat","prompt":"x","${field}":${value}}`;
    const { code, param, message } = await refused(body);
    expect([code, param]).toEqual(['invalid_value', field]);
    expect(message).toMatch(/got \d{6} bytes, allowed are 65536 at the most$/);
  });

  it('passes where it is a prompt: millions of tokens, parts and messages', async () => {
    const many = (item: string) => Array(1_000_000).fill(item).join(',');
    const prompt = `{"model":"chat","prompt":[${many('7')}]}`;
    expect(await passed(prompt)).toBe(prompt);
    const messages = `{"model":"chat","messages":[${many('{}')}]}`;
    expect(await passed(messages, 'chat/completions')).toBe(messages);
    const parts = `{"model":"chat","messages":[{"role":"user","content":[${many('1')}]}]}`;
    expect(await passed(parts, 'chat/completions')).toBe(parts);
  });
});

describe('names of prototypes are names like any other', () => {
  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'])('%s is no model', async (model) => {
    const response = await post(JSON.stringify({ model, prompt: 'x' }));
    expect(response.status).toBe(404);
    expect(await errorOf(response)).toMatchObject({ code: 'model_not_found', param: 'model' });
  });

  it('and no model breaks the line of an error', async () => {
    const response = await post(JSON.stringify({ model: `a\r\nset-cookie: x\r\n\r\n\0${'y'.repeat(50_000)}`, prompt: 'x' }));
    expect(response.status).toBe(404);
    expect(response.headers.get('set-cookie')).toBeNull();
    const { message } = await errorOf(response);
    expect(message).not.toMatch(/[\r\n\0]/);
    expect(message.length).toBeLessThan(400);
  });
});
