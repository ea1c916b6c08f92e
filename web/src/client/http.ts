/** Requests to the admin API, as the same origin serves it. Errors are its problem details. */
import type { ListOf, Problem } from '../../../api/schema/index.ts';

export class ApiError extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

const KEY_SLOT = 'uellm-api-key';

/** The key lives as long as the tab, and nowhere but here. */
export const apiKey = {
  get: () => sessionStorage.getItem(KEY_SLOT),
  set: (key: string) => sessionStorage.setItem(KEY_SLOT, key),
};

export function authorization(): Record<string, string> {
  const key = apiKey.get();
  return key ? { authorization: `Bearer ${key}` } : {};
}

/** @throws ApiError */
export async function get<T>(path: string): Promise<T> {
  return request<T>('GET', path);
}

/** @throws ApiError */
export async function post<T>(path: string, body?: unknown): Promise<T> {
  return request<T>('POST', path, body);
}

/** Saves an answer under the name that the API gives it. @throws ApiError */
export async function download(path: string): Promise<void> {
  const response = await fetch(path, { headers: authorization() });
  if (!response.ok) throw new ApiError(await readProblem(response, path));
  const [, name = 'download'] = /filename="([^"]+)"/.exec(response.headers.get('content-disposition') ?? '') ?? [];
  const url = URL.createObjectURL(await response.blob());
  Object.assign(document.createElement('a'), { href: url, download: name }).click();
  URL.revokeObjectURL(url);
}

/** @throws ApiError */
export async function remove(path: string): Promise<void> {
  await request('DELETE', path);
}

/** Every page of a list. @throws ApiError */
export async function list<T>(path: string): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  do {
    const url = cursor === undefined ? path : `${path}${path.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(cursor)}`;
    const page: ListOf<T> = await get(url);
    items.push(...page.items);
    cursor = page.next;
  } while (cursor !== undefined);
  return items;
}

async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json', ...authorization() };
  if (body !== undefined) headers['content-type'] = 'application/json';
  const response = await fetch(path, { method, headers, body: body === undefined ? null : JSON.stringify(body) }).catch(() => {
    throw new ApiError(problemOf(0, 'the API does not answer', path));
  });
  if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T;
  throw new ApiError(await readProblem(response, path));
}

export async function readProblem(response: Response, path: string): Promise<Problem> {
  const body: unknown = await response.json().catch(() => null);
  if (body !== null && typeof body === 'object' && 'detail' in body) return body as Problem;
  return problemOf(response.status, `the API answered ${response.status}`, path);
}

export function problemOf(status: number, detail: string, instance: string): Problem {
  return { type: 'about:blank', title: detail, status, detail, instance };
}
