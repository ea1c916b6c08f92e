import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { openLink } from './link.ts';

it('lets nothing through while it is cut, and all of it afterwards', async () => {
  const echo = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const link = await openLink((echo.address() as AddressInfo).port);
  const client = connect(link.port, '127.0.0.1');
  let heard = '';
  client.on('data', (bytes) => {
    heard += bytes;
  });
  client.write('a');
  await expect.poll(() => heard).toBe('a');

  link.cut();
  client.write('b');
  const late = connect(link.port, '127.0.0.1');
  late.write('c');
  await delay(100);
  expect(heard).toBe('a');

  link.mend();
  await expect.poll(() => heard).toBe('ab');
  expect(String((await once(late, 'data'))[0])).toBe('c');
  client.destroy();
  late.destroy();
  await link.close();
  echo.close();
});
