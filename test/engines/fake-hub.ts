/** As much of the hub's HTTP API as its client needs to download a model: model info, file tree, files with ETag and ranges. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface FakeHub {
  endpoint: string;
  /** `METHOD path` of every request, and the bearer token it came with. */
  requests: { line: string; authorization: string | undefined }[];
  /** Bytes of files that were sent. */
  sentBytes: () => number;
  /** What `main` is now. */
  commit: string;
  /** Sent in place of a file's own bytes. */
  corrupt: Map<string, Buffer>;
  /** Pause after each 64 KiB. */
  pauseMs: number;
  down: boolean;
  close(): Promise<void>;
}

const CHUNK_BYTES = 64 * 1024;

/** @param files of the one model; those that end in `.safetensors` are large files to the hub, known by their SHA-256 */
export async function startFakeHub(repository: string, files: Record<string, Buffer>): Promise<FakeHub> {
  let sent = 0;
  const server = createServer((request, response) => void answer(request, response).catch(() => response.destroy()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const hub: FakeHub = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    sentBytes: () => sent,
    commit: 'a'.repeat(40),
    corrupt: new Map(),
    pauseMs: 0,
    down: false,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return hub;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, hub.endpoint);
    hub.requests.push({ line: `${request.method} ${url.pathname}`, authorization: request.headers.authorization });
    if (hub.down) return void response.writeHead(503).end();
    const api = `/api/models/${repository}`;
    const revisions = new Set(['main', hub.commit]);
    const [, revision] = /^\/(?:revision|tree)\/([^/]+)/.exec(url.pathname.slice(api.length)) ?? [];
    if (url.pathname.startsWith(api) && revision && revisions.has(revision)) {
      if (url.pathname.includes('/tree/')) return json(response, Object.entries(files).map(treeEntry));
      return json(response, { id: repository, sha: hub.commit, siblings: Object.keys(files).map((rfilename) => ({ rfilename })) });
    }
    const path = url.pathname.split(`/${repository}/resolve/${hub.commit}/`)[1];
    const content = path === undefined ? undefined : files[path];
    if (path === undefined || !content) {
      response.setHeader('x-error-code', url.pathname.startsWith(api) && revision ? 'RevisionNotFound' : 'RepoNotFound');
      return void response.writeHead(404).end();
    }
    await sendFile(path, content, request, response);
  }

  async function sendFile(path: string, content: Buffer, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': content.length - from,
      'accept-ranges': 'bytes',
      etag: `"${isLarge(path) ? digest(content) : gitDigest(content)}"`,
      'x-repo-commit': hub.commit,
      ...(from > 0 ? { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` } : {}),
    });
    if (request.method === 'HEAD') return void response.end();
    const bytes = (hub.corrupt.get(path) ?? content).subarray(from);
    for (let at = 0; at < bytes.length && !response.destroyed; at += CHUNK_BYTES) {
      const piece = bytes.subarray(at, at + CHUNK_BYTES);
      sent += piece.length;
      response.write(piece);
      if (hub.pauseMs > 0) await delay(hub.pauseMs);
    }
    response.end();
  }
}

function treeEntry([path, content]: [string, Buffer]) {
  const lfs = isLarge(path) ? { lfs: { oid: digest(content), size: content.length, pointerSize: 130 } } : {};
  return { type: 'file', path, size: content.length, oid: gitDigest(content), ...lfs };
}

function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

const isLarge = (path: string) => path.endsWith('.safetensors');
const digest = (content: Buffer) => createHash('sha256').update(content).digest('hex');
const gitDigest = (content: Buffer) => createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
