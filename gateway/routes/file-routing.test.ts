import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { complete, until } from '../../test/support/gateway.ts';
import { startUpstream } from '../../test/support/upstream.ts';
import { startGateway } from '../server.ts';
import { fileRouting, parseGatewayFile } from './file-routing.ts';

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'uellm-gateway-file-'));
  path = join(directory, 'gateway.yaml');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const parse = (text: string) => parseGatewayFile(text, 'gateway.yaml', 1);

describe('a gateway file', () => {
  it('needs no more than endpoints and models', async () => {
    const { table } = await parse(`
replicas:
  - { endpoint: 'http://10.0.0.5:8000/', model: llama-3.1-8b, accelerator: h100 }
  - { endpoint: 'http://10.0.0.6:8000', model: llama-3.1-8b, deployment: fast, weight: 5, maxInFlight: 32, batching: static }
policies:
  - { name: chat, match: { class: interactive }, targets: { ttftMs: 500 } }
`);
    expect(table.replicas[0]).toMatchObject({
      replicaId: 'llama-3.1-8b-1',
      deployment: 'llama-3.1-8b',
      endpoint: 'http://10.0.0.5:8000',
      engine: 'vllm',
      stepTime: { d0: 6.374 },
      maxInFlight: 256,
      batching: 'continuous',
    });
    expect(table.replicas[1]).toMatchObject({
      replicaId: 'fast-2',
      deployment: 'fast',
      weight: 5,
      maxInFlight: 32,
      batching: 'static',
      stepTime: { d0: 11.42 },
    });
    expect(table.policies[0]).toMatchObject({ name: 'chat', queue: { maxWaitMs: 30_000, onHopeless: 'demote' } });
  });

  it.each([
    ['replicas: []', /replicas: got \[\], allowed is a list with a length of at least 1/],
    ['{ "replicas": [{ "endpoint": "ftp://x", "model": "m" }] }', /replicas\[0\].endpoint: got "ftp:\/\/x"/],
    ['replicas: [{ endpoint: "http://x", model: m, wieght: 3 }]', /replicas\[0\].wieght: got 3, allowed is no such field/],
    ['replicas: [{ endpoint: "http://x", model: m, accelerator: H1000 }]', /replicas\[0\].accelerator: got "H1000", allowed is one of T4/],
    ['replicas: [{ endpoint: "http://x", model: m, id: a }, { endpoint: "http://y", model: m, id: a }]', /replicas with different ids/],
    [
      "replicas: [{ endpoint: 'http://x', model: m, batching: some }]",
      /replicas\[0\].batching: got "some", allowed is one of "continuous", "static"/,
    ],
    ['{ replicas: [{ endpoint: "http://x", model: m }], aliases: { gpt: n } }', /aliases.gpt: got "n", allowed is one of m/],
    ['{ replicas: [{ endpoint: "http://x", model: m }], aliases: { m: m } }', /aliases.m: got "m", allowed is a name that no replica has/],
    ['{ replicas: [{ endpoint: "http://x", model: m }], aliases: { "a b": m } }', /printable characters/],
    ['replicas: [', /allowed is YAML or JSON/],
    ['', /the input: got null, allowed is an object/],
    [
      'replicas: [{ endpoint: "http://x", model: m, engine: triton, tokenizer: nowhere }]',
      /replicas\[0\].tokenizer: got "nowhere", allowed is a folder with a chat template/,
    ],
  ])('is refused with the field: %s', async (text, message) => {
    await expect(parse(text)).rejects.toThrow(message);
  });

  it('takes the chat template of a Triton replica from the files of its model', async () => {
    writeFileSync(join(directory, 'tokenizer_config.json'), '{"bos_token":"<s>","eos_token":{"content":"</s>"},"chat_template":"T"}');
    const { table } = await parseGatewayFile(
      'replicas: [{ endpoint: "http://x", model: m, engine: triton, tokenizer: . }, { endpoint: "http://y", model: m }]',
      path,
      1,
    );
    expect(table.replicas.map(({ chat }) => chat)).toEqual([{ template: 'T', bosToken: '<s>', eosToken: '</s>' }, null]);
  });

  it('serves models by aliases, and asks an engine by the name that it knows', async () => {
    const [plain, named] = [await startUpstream(), await startUpstream()];
    writeFileSync(
      path,
      `replicas:
  - { endpoint: '${plain.url}', model: llama, deployment: chat }
  - { endpoint: '${named.url}', model: other, servedAs: meta-llama/Other-8B }
aliases: { gpt-4o-mini: llama, 'org/Other': other }`,
    );
    const logger = pino({ enabled: false });
    const source = { kind: 'alone' as const, routing: await fileRouting(path, logger) };
    const gateway = await startGateway({ source, address: '127.0.0.1', port: 0, logger });
    const { data } = (await (await fetch(`${gateway.url}/v1/models`)).json()) as { data: { id: string }[] };
    expect(data.map(({ id }) => id)).toEqual(['chat', 'gpt-4o-mini', 'llama', 'org/Other', 'other']);
    expect((await fetch(`${gateway.url}/v1/models/${encodeURIComponent('org/Other')}`)).status).toBe(200);
    for (const model of ['chat', 'llama', 'gpt-4o-mini', 'other', 'org/Other']) {
      expect((await complete(gateway, { model, stream: true })).status).toBe(200);
    }
    expect(plain.received.map(({ json }) => json.model)).toEqual(['chat', 'llama', 'chat']);
    expect(named.received.map(({ json }) => json.model)).toEqual(['meta-llama/Other-8B', 'meta-llama/Other-8B']);
    expect(named.received[1]?.text).toMatch(/^\{"model":"meta-llama\/Other-8B","prompt":"hello"/);
    await gateway.close();
    await Promise.all([plain.close(), named.close()]);
  });

  it('that is edited while it is read for the first time is read again', async () => {
    const write = (port: number) => writeFileSync(path, `replicas: [{ endpoint: 'http://127.0.0.1:${port}', model: chat }]`);
    write(1111);
    const opening = fileRouting(path, pino({ enabled: false }));
    setTimeout(() => write(22_222), 0);
    const routing = await opening;
    const ports: string[] = [];
    routing.start(({ table }) => ports.push(new URL(table.replicas[0]!.endpoint).port));
    await until(() => ports.at(-1) === '22222');
    await routing.close();
  });

  it('is refused at the start when it cannot be read', async () => {
    await expect(fileRouting(join(directory, 'none.yaml'), pino({ enabled: false }))).rejects.toThrow(/a file that can be read/);
  });

  it('routes a gateway alone, and its edits are in force within moments unless they are not valid', async () => {
    const [first, second] = [await startUpstream(), await startUpstream()];
    const write = (id: string, url: string) => writeFileSync(path, `replicas: [{ id: ${id}, endpoint: '${url}', model: chat }]`);
    write('one', first.url);
    const logger = pino({ enabled: false });
    const gateway = await startGateway({
      source: { kind: 'alone', routing: await fileRouting(path, logger) },
      address: '127.0.0.1',
      port: 0,
      logger,
    });
    const servedBy = async () => {
      const response = await complete(gateway, { stream: true });
      await response.text();
      return response.headers.get('x-uellm-replica');
    };
    expect(await servedBy()).toBe('one');
    writeFileSync(path, 'replicas: oops');
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(await servedBy()).toBe('one');
    write('two', second.url);
    await until(async () => (await servedBy()) === 'two');
    await gateway.close();
    await Promise.all([first.close(), second.close()]);
  });
});
