import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { createApi, type Api } from './api';
import { createHttp } from './http';
import { Problem, Unreachable } from './problem';

interface Received {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}

let server: Server;
let reply: { status: number; type?: string; body: unknown };
let received: Received[];
let unauthorized: number;
let token: string | null;
let api: Api;

beforeEach(async () => {
  received = [];
  unauthorized = 0;
  token = 'a-token';
  server = createServer(async (request, response) => {
    const { method = '', url = '', headers } = request;
    received.push({ method, url, headers, body: await text(request) });
    response.writeHead(reply.status, { 'Content-Type': reply.type ?? 'application/json' });
    response.end(JSON.stringify(reply.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const http = createHttp({
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fetch,
    token: () => token,
    socketId: () => '12.34',
    onUnauthorized: () => (unauthorized += 1),
  });
  api = createApi(http);
});

afterEach(() => new Promise((resolve) => server.close(resolve)));

const { signal } = new AbortController();

test('an edit says what it is based on, who sends it from which socket, and how to recognise it again', async () => {
  reply = { status: 200, body: { data: { id: 'lead-1', version: 5 }, meta: { position: 9, epoch: 'e1' } } };

  const outcome = await api.update({ id: 'lead-1', version: 4, epoch: 'e0' }, { name: 'Ana' }, 'a-key');

  expect(outcome).toEqual({ lead: { id: 'lead-1', version: 5, epoch: 'e1' }, position: 9, epoch: 'e1', facts: 1 });
  expect(received[0]).toMatchObject({
    method: 'PATCH',
    url: '/leads/lead-1',
    body: '{"name":"Ana"}',
    headers: {
      authorization: 'Bearer a-token',
      'if-match': '"4.e0"',
      'x-socket-id': '12.34',
      'idempotency-key': 'a-key',
      'content-type': 'application/json',
    },
  });
});

test('the next page is asked of our own address, whatever address the link names', async () => {
  reply = { status: 200, body: { data: [], meta: { position: 9 }, links: { next: null } } };

  const page = await api.leadsAfter('https://elsewhere.example/x/leads?status=new&status=won&cursor=abc&limit=100', signal, 500);

  expect(page).toEqual({ rows: [], position: 9, next: null });
  expect(received[0]?.url).toBe('/leads?status=new&status=won&cursor=abc&limit=500');
});

test('a refusal carries its status and the fields that it is about', async () => {
  const errors = [
    { pointer: '#/email', message: 'is not an email address' },
    { field: 'name', message: 'is too long' },
    { pointer: '/custom/e~1mail', message: 'is no value of this field' },
    { pointer: '/tags/3', message: 'is too long' },
  ];
  reply = { status: 422, type: 'application/problem+json', body: { title: 'Invalid', detail: 'Bad input', errors } };

  const refusal = await api.create({ name: 'Ana' }, 'a-key').catch((error: unknown) => error);

  expect(refusal).toBeInstanceOf(Problem);
  expect(refusal).toMatchObject({
    status: 422,
    message: 'Bad input',
    paths: ['email', 'name', 'custom.e/mail', 'tags'],
  });
});

test('an error page of something in between is a refusal without details', async () => {
  reply = { status: 502, type: 'text/html', body: '<h1>Bad gateway</h1>' };

  await expect(api.stats(signal)).rejects.toMatchObject({ status: 502, paths: [], correlationId: null });
});

test('a refused token is reported, a refused password is not', async () => {
  reply = { status: 401, type: 'application/problem+json', body: {} };

  await expect(api.people(signal)).rejects.toBeInstanceOf(Problem);
  token = null;
  await expect(api.login('ana@example.com', 'wrong')).rejects.toBeInstanceOf(Problem);

  expect(unauthorized).toBe(1);
});

test('no answer at all is told apart from a refusal and from a request given up', async () => {
  const given = new AbortController();
  given.abort();

  await expect(api.stats(given.signal)).rejects.toHaveProperty('name', 'AbortError');
  server.close();
  server.closeAllConnections();
  await expect(api.stats(signal)).rejects.toBeInstanceOf(Unreachable);
});
