import { expect, test } from 'vitest';

import { createTrace } from './trace';

test('an event has its place in the feed and in its channel, and says how long it took', () => {
  const trace = createTrace(() => Date.parse('2026-01-01T10:00:00.250Z'));
  trace.heard('lead.updated', 'private-company.1', { position: 7, updated_at: '2026-01-01T10:00:00Z' });
  trace.heard('leadwire:position', 'private-company.1', { channel: 'private-company.1', offset: 93 });

  expect(trace.events[0]).toMatchObject({ position: 7, offset: 93, latency: 250 });
});

test('the oldest goes when there are too many', () => {
  const trace = createTrace();
  for (let number = 0; number < 1_000; number++) {
    trace.turned(`state ${number}`);
  }

  expect(trace.connection).toHaveLength(300);
  expect(trace.connection.at(-1)?.state).toBe('state 999');
});
