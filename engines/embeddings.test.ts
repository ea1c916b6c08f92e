import { afterEach, expect, it } from 'vitest';
import { startRoutedEngine } from '../test/support/simulated-engine.ts';
import { embeddingClient } from './embeddings.ts';
import type { SimulatedEngine } from './simulated/server.ts';

let engine: SimulatedEngine | undefined;
afterEach(() => engine?.close());

it('an engine that pools has no completions, and counts the tokens of what it embeds', async () => {
  engine = await startRoutedEngine('demo-1', { runner: 'pooling' });
  expect(await embeddingClient.embedsOnly(engine.url, 'chat')).toBe(true);
  const [short, long] = [
    await embeddingClient.embed(engine.url, { model: 'chat', input: 'a few words' }),
    await embeddingClient.embed(engine.url, { model: 'chat', input: 'a few words '.repeat(100) }),
  ];
  expect(long.inputTokens).toBeGreaterThan(50 * short.inputTokens);
  expect(long.ms).toBeGreaterThan(0);
  const refused = embeddingClient.embed(engine.url, { model: 'another', input: 'a text' });
  await expect(refused).rejects.toThrow(/\/v1\/embeddings is unavailable: answers 404/);
});

it('one that generates does', async () => {
  engine = await startRoutedEngine('demo-1');
  expect(await embeddingClient.embedsOnly(engine.url, 'chat')).toBe(false);
});
