/** Streams that say nonsense, stop, or never end. What was sent stays; what follows is an error event without `[DONE]`, or nothing. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { complete, routedReplica, until } from '../../test/support/gateway.ts';
import { type BesiegedGateway, errorOf, openAt, startBesieged } from '../../test/support/hostile.ts';
import { type Answer, DONE, streamed, token } from '../../test/support/upstream.ts';

let gateway: BesiegedGateway;
beforeAll(async () => {
  gateway = await startBesieged({ upstreamIdleMs: 400 });
});
afterAll(() => gateway.close());
afterEach(() => {
  gateway.engine.received.length = 0;
});

function answering(...events: (string | Buffer)[]): Answer {
  return (res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const event of events) res.write(event);
    res.end();
  };
}

/** The text of a stream, and its status. */
async function stream(answer: Answer) {
  gateway.engine.answer = answer;
  return gateway.beside(async () => {
    const response = await complete(gateway, { stream: true });
    return { status: response.status, response, text: response.status === 200 ? await response.text() : '' };
  });
}
const metric = async (pattern: RegExp) => Number(pattern.exec(await (await fetch(`${gateway.url}/metrics`)).text())?.[1] ?? 0);
const outputTokens = () => metric(/uellm_output_tokens_total\{deployment="chat",class="standard"\} (\S+)/);

describe('nonsense in a stream passes as it came', () => {
  it.each([
    ['invalid JSON', 'data: {"choices":[\n\n'],
    ['invalid JSON that speaks of usage', 'data: {"usage":{"completion_tokens":\n\n'],
    ['null', 'data: null\n\n'],
    ['a usage that is none', 'data: {"choices":[{}],"usage":7}\n\n'],
    ['a usage of prototypes', 'data: {"choices":[{}],"usage":{"__proto__":{"completion_tokens":9}}}\n\n'],
    ['no data', 'data:\n\n'],
    ['another field', 'id: 7\nretry: 1\n\n'],
    ['a comment', ': hello\n\n'],
    ['blank lines', '\n\n\n\n'],
    ['binary', Buffer.from([0x64, 0x61, 0x74, 0x61, 0x3a, 0xff, 0x00, 0xfe, 0x0a, 0x0a])],
    ['lines that end in CR LF', 'data: {"choices":[{}]}\r\n\r\n'],
  ])('%s', async (_, event) => {
    const { text } = await stream(answering(token('a'), event, DONE));
    expect(Buffer.from(text, 'utf8').toString()).toBe(token('a') + event.toString('utf8') + DONE);
  });
});

describe('a usage that cannot be', () => {
  it.each(['-1', '"NaN"', 'null', '1e308', '1.5', '[]', '{}', '123456789012345678901234567890', 'true'])(
    '%s counts for nothing',
    async (value) => {
      const before = await outputTokens();
      await stream(answering(token('a'), `data: {"choices":[],"usage":{"prompt_tokens":${value},"completion_tokens":${value}}}\n\n`, DONE));
      expect(await outputTokens()).toBe(before + 1);
      // Nor does it spoil what the scheduler reckons with: the next request goes at once.
      expect((await stream(streamed(['a']))).text).toContain('[DONE]');
    },
  );

  it('nor in an answer as a whole', async () => {
    const before = await outputTokens();
    gateway.engine.answer = (res) => res.end('{"choices":[],"usage":{"prompt_tokens":1e308,"completion_tokens":1e308}}');
    await gateway.beside(async () => (await complete(gateway, {})).text());
    expect(await outputTokens()).toBe(before);
  });
});

describe('a stream that is not as it should be', () => {
  it('an event of 100 MB without an end is given up, before it fills the memory or takes the time of others', async () => {
    let poured = 0;
    const piece = Buffer.alloc(16 * 1024, 0x78);
    const pour: Answer = (res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write('data: ');
      const more = () => {
        while (!res.destroyed && poured < 100e6 && res.write(piece)) poured += piece.length;
        if (!res.destroyed && poured < 100e6) res.once('drain', more);
      };
      more();
    };
    const cpu = process.cpuUsage();
    const { status, response } = await stream(pour);
    expect(status).toBe(502);
    expect((await errorOf(response)).message).toContain('exceeds');
    expect(poured).toBeLessThan(60e6);
    // Both ends are in this process. Joining what has come with each piece would take many times that.
    expect(process.cpuUsage(cpu).user).toBeLessThan(4e6);
  });

  it('an event in pieces of one byte passes', async () => {
    const event = token('grüße');
    const bytes = Buffer.from(event + DONE);
    const { text } = await stream(async (res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      for (const byte of bytes) {
        res.write(Buffer.from([byte]));
        await new Promise((resolve) => setImmediate(resolve));
      }
      res.end();
    });
    expect(text).toBe(event + DONE);
  });

  it('one that stops is ended with an error', async () => {
    const { text } = await stream((res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write(token('a'));
    });
    expect(text.startsWith(token('a'))).toBe(true);
    expect(text).toContain('"engine_failed"');
    expect(text).not.toContain('[DONE]');
    expect(gateway.engine.received[0]!.aborted).toBe(true);
  });
});

describe('what comes after [DONE]', () => {
  it('goes to nobody, and holds nobody', async () => {
    const { text } = await stream((res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write(token('a') + DONE);
      const timer = setInterval(() => res.write(token('more')), 30);
      res.on('close', () => clearInterval(timer));
    });
    expect(text).toBe(token('a') + DONE);
  });

  it('also where it comes in the same piece', async () => {
    const { text } = await stream(answering(token('a') + DONE + token('more') + DONE));
    expect(text).toBe(token('a') + DONE);
  });

  it('silence after it is an end too', async () => {
    const failed = () => metric(/uellm_requests_total\{deployment="chat",class="standard",outcome="failed"\} (\S+)/);
    const before = await failed();
    const { text } = await stream((res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write(token('a') + DONE);
    });
    expect(text).toBe(token('a') + DONE);
    expect(await failed()).toBe(before);
    expect(await openAt(gateway)).toBe(0);
  });
});

describe('an engine whose metrics are nonsense', () => {
  it('without end: they are given up, and it counts as one that does not answer', async () => {
    const { createServer } = await import('node:http');
    let poured = 0;
    const piece = Buffer.alloc(1024 * 1024, 0x78);
    const pourer = createServer((_, res) => {
      const more = () => {
        do poured += piece.length;
        while (!res.destroyed && res.write(piece));
        if (!res.destroyed) res.once('drain', more);
      };
      more();
    });
    await new Promise<void>((resolve) => pourer.listen(0, '127.0.0.1', resolve));
    const { port } = pourer.address() as { port: number };
    gateway.serve(routedReplica({ replicaId: 'pouring', endpoint: `http://127.0.0.1:${port}` }));
    const healthy = async () => {
      const { replicas } = (await (await fetch(`${gateway.url}/uellm/stats`)).json()) as { replicas: { id: string; healthy: boolean }[] };
      return replicas.find(({ id }) => id === 'pouring')?.healthy;
    };
    await gateway.beside(() => until(async () => (await healthy()) === false));
    expect(poured).toBeGreaterThan(0);
    gateway.serve(routedReplica({ replicaId: 'r1', endpoint: gateway.engine.url }));
    pourer.closeAllConnections();
    await new Promise((resolve) => pourer.close(resolve));
  });

  it.each(['1e308', '-5', 'NaN', '+Inf', '999999999999999999'])('%s requests at work: it is served all the same', async (value) => {
    const { engine } = gateway;
    const good = engine.metrics.text;
    engine.metrics.text = `vllm:num_requests_running ${value}\nvllm:num_requests_waiting ${value}\nvllm:kv_cache_usage_perc ${value}\n`;
    gateway.serve(routedReplica({ replicaId: 'r1', endpoint: engine.url }), routedReplica({ replicaId: 'r2', endpoint: engine.url }));
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect((await stream(streamed(['a']))).text).toContain('[DONE]');
    engine.metrics.text = good;
  });
});
