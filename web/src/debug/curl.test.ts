import { expect, test } from 'vitest';

import { factAsCurl, requestAsCurl } from './curl';

const BASE = 'http://crm.example';

test('a request is a command that a terminal understands, without the token', () => {
  const command = requestAsCurl({ method: 'PATCH', url: '/api/leads/7', body: '{"name":"O\'Hara"}' }, BASE);

  expect(command).toBe(
    `curl -X PATCH 'http://crm.example/api/leads/7' -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"name":"O'\\''Hara"}'`,
  );
});

test('an event is looked up in the feed by its position', () => {
  expect(factAsCurl(42, 'http://api.example', BASE)).toBe(
    `curl 'http://api.example/changes?after=41&limit=1' -H "Authorization: Bearer $TOKEN"`,
  );
});
