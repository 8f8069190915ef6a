/** Requests as commands for a terminal. The token stays out: `$TOKEN` stands for it. */

import type { Exchange } from '../lib/http';

export function requestAsCurl({ method, url, body }: Pick<Exchange, 'method' | 'url' | 'body'>, base: string): string {
  const parts = ['curl', ...(method === 'GET' ? [] : ['-X', method]), quoted(new URL(url, base).href), '-H', '"Authorization: Bearer $TOKEN"'];
  return [...parts, ...(body === null ? [] : ['-H', quoted('Content-Type: application/json'), '-d', quoted(body)])].join(' ');
}

/** What asks the feed for the fact behind an event. */
export function factAsCurl(position: number, apiUrl: string, base: string): string {
  return requestAsCurl({ method: 'GET', url: `${apiUrl}/changes?after=${position - 1}&limit=1`, body: null }, base);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
