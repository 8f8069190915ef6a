import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { aLead } from '../given';
import type { Lead } from '../types';
import { order, type LeadQuery } from './leadQuery';
import { asked, changed, extended, hydrated, loading, narrowed, opened as openedFor, reset, type Change, type LeadList, type LeadPage } from './leadList';

const STATUSES = ['new', 'contacted', 'qualified', 'won', 'lost'];

function lead(number: number, over: Partial<Lead> = {}): Lead {
  const created_at = new Date(Date.UTC(2026, 0, 1) + number * 1000).toISOString();
  return aLead({ id: `lead-${number}`, name: `Lead ${number}`, created_at, ...over });
}

const page = (position: number, rows: Lead[], next: string | null = null): LeadPage => ({ position, rows, next });
const pushed = (position: number, lead: Lead): Change => ({ position, lead, deleted: false, ownFacts: null });
const deletion = (position: number, lead: Lead): Change => ({ position, lead, deleted: true, ownFacts: null });
const own = (change: Change, ownFacts = 1): Change => ({ ...change, ownFacts });
const ids = (list: LeadList) => list.rows.map(({ id }) => id);
const opened = (filter: string | null, sort: LeadQuery = {}) => openedFor(asked({ ...sort, ...(filter !== null && { status: filter }) }, 'me'));
const loaded = (position: number, rows: Lead[], filter: string | null = null) => hydrated(opened(filter), [page(position, rows)]);

/** For `reduce`, which hands over more than a list and a change. */
const one = (list: LeadList, change: Change) => changed(list, change);

describe('an epoch of the log', () => {
  const of = (epoch: string, change: Change): Change => ({ ...change, epoch });
  const shown = hydrated(opened(null), [{ ...page(10, [lead(1, { version: 7 })]), epoch: 'a' }]);

  test('a change of another one is not compared by its position, and asks for a new page', () => {
    const list = changed(shown, of('b', pushed(3, lead(2))));

    expect(ids(list)).toEqual(['lead-1']);
    expect(list.doubtful).toBe(true);
  });

  test('a page of another one brings leads back to versions that they had before', () => {
    const list = hydrated(loading(shown), [{ ...page(3, [lead(1, { version: 2, name: 'Restored' })]), epoch: 'b' }]);
    const later = changed(list, of('b', pushed(4, lead(1, { version: 3, name: 'Later' }))));

    expect(later.rows.map(({ name }) => name)).toEqual(['Later']);
    expect(later.doubtful).toBe(false);
  });

  test('after a reset nothing that was heard before counts, and rows stay in sight until the page comes', () => {
    const list = reset(changed(shown, of('a', pushed(11, lead(2)))));
    const loaded = hydrated(changed(list, of('a', pushed(4, lead(3)))), [{ ...page(3, [lead(1)]), epoch: 'a' }]);

    expect(ids(list)).toEqual(['lead-2', 'lead-1']);
    expect(ids(loaded)).toEqual(['lead-3', 'lead-1']);
  });

  test('a change of another one that came while the page was under way asks for the next page', () => {
    const waiting = changed(loading(shown), of('b', pushed(3, lead(2))));
    const list = hydrated(waiting, [{ ...page(11, [lead(1)]), epoch: 'a' }]);

    expect(list.doubtful).toBe(true);
    expect(hydrated(waiting, [{ ...page(2, [lead(1)]), epoch: 'b' }]).doubtful).toBe(false);
  });
});

describe('loading', () => {
  test('events at or below the position of the page are already in it', () => {
    const list = changed(loaded(10, [lead(1)]), pushed(10, lead(2)));

    expect(ids(list)).toEqual(['lead-1']);
  });

  test('events that arrive while the page is under way are applied to it in position order', () => {
    const waiting = [pushed(12, lead(2, { version: 2, name: 'Newest' })), pushed(11, lead(2)), pushed(9, lead(3))].reduce(
      one,
      opened(null),
    );
    const list = hydrated(waiting, [page(10, [lead(1)])]);

    expect(list.rows).toEqual([lead(2, { version: 2, name: 'Newest' }), lead(1)]);
    expect(list.position).toBe(12);
    expect(list.buffer).toEqual([]);
  });

  test('while a list is loaded again it stays live, and the page does not undo what came meanwhile', () => {
    const renamed = lead(1, { version: 2, name: 'Renamed' });
    const shown = changed(loading(loaded(10, [lead(1)])), pushed(12, renamed));
    const list = hydrated(shown, [page(11, [lead(2), lead(1)])]);

    expect(shown.rows).toEqual([renamed]);
    expect(list.rows).toEqual([lead(2), renamed]);
  });

  test('loading again forgets rows that are gone', () => {
    const list = hydrated(loading(loaded(10, [lead(2), lead(1)])), [page(11, [lead(1)])]);

    expect(ids(list)).toEqual(['lead-1']);
  });
});

describe('a change', () => {
  test('of a lead not seen before enters where its age puts it', () => {
    const list = changed(loaded(10, [lead(3), lead(1)]), pushed(11, lead(2)));

    expect(ids(list)).toEqual(['lead-3', 'lead-2', 'lead-1']);
  });

  test('with a version already applied does nothing', () => {
    const current = lead(1, { version: 3, name: 'Third' });
    const list = [pushed(12, lead(1, { version: 2 })), pushed(13, lead(1, { version: 3 }))].reduce(one,
      loaded(10, [current]),
    );

    expect(list.rows).toEqual([current]);
  });

  test('that comes late does not bring a deleted lead back', () => {
    const list = [deletion(12, lead(1, { version: 3 })), own(pushed(11, lead(1, { version: 2 })))].reduce(one,
      loaded(10, [lead(1)]),
    );

    expect(list.rows).toEqual([]);
  });

  test('deletes even when it names the version that was deleted', () => {
    const list = changed(loaded(10, [lead(1)]), deletion(11, lead(1)));

    expect(list.rows).toEqual([]);
  });

  test('that comes late does not delete a lead restored since', () => {
    const restored = lead(1, { version: 3 });
    const list = [pushed(12, restored), own(deletion(11, lead(1, { version: 2 })))].reduce(one, loaded(10, [lead(1)]));

    expect(list.rows).toEqual([restored]);
  });

  test('takes away a row that no longer matches the filter, and brings one that now does', () => {
    const list = [
      pushed(11, lead(2, { version: 2, status: 'won' })),
      pushed(12, lead(1, { version: 2, status: 'new' })),
    ].reduce(one, loaded(10, [lead(2)], 'new'));

    expect(ids(list)).toEqual(['lead-1']);
  });

  test('that comes late does not bring back a row that left the filter', () => {
    const list = [pushed(12, lead(1, { version: 3, status: 'won' })), own(pushed(11, lead(1, { version: 2 })))].reduce(one,
      loaded(10, [lead(1)], 'new'),
    );

    expect(list.rows).toEqual([]);
  });
});

describe('pages', () => {
  const firstOfTwo = hydrated(opened(null), [page(10, [lead(4), lead(3)], '/leads?cursor=3')]);

  test('a lead older than what is loaded waits for its page', () => {
    const list = changed(firstOfTwo, pushed(11, lead(1, { version: 2 })));

    expect(ids(list)).toEqual(['lead-4', 'lead-3']);
    expect(ids(extended(list, page(11, [lead(2), lead(1, { version: 2 })])))).toEqual([
      'lead-4',
      'lead-3',
      'lead-2',
      'lead-1',
    ]);
  });

  test('what happens to an older lead while its page is under way is applied to the page', () => {
    const waiting = [pushed(11, lead(2, { version: 2, name: 'Renamed' })), deletion(12, lead(1))].reduce(one,
      loading(firstOfTwo),
    );
    const list = extended(waiting, page(10, [lead(2), lead(1)]));

    expect(list.rows.slice(2)).toEqual([lead(2, { version: 2, name: 'Renamed' })]);
  });

  test('a page that overlaps what is loaded repeats no row and undoes none', () => {
    const renamed = lead(3, { version: 2, name: 'Renamed' });
    const list = extended(changed(firstOfTwo, pushed(11, renamed)), page(10, [lead(3), lead(2)]));

    expect(list.rows).toEqual([lead(4), renamed, lead(2)]);
  });

  test('the window does not shrink with its last row', () => {
    const list = [deletion(11, lead(3)), pushed(12, lead(3.5))].reduce(one, firstOfTwo);

    expect(ids(list)).toEqual(['lead-4', 'lead-3.5']);
  });
});

test('choosing a filter narrows the rows at once and waits for pages', () => {
  const list = narrowed(loaded(10, [lead(2, { status: 'won' }), lead(1)]), asked({ status: 'won' }, 'me'));

  expect(ids(list)).toEqual(['lead-2']);
  expect(list.loading).toBe(true);
});

test('leads of the same millisecond are ordered by their microseconds', () => {
  const early = lead(1, { id: 'b', created_at: '2026-01-01T00:00:00Z' });
  const late = lead(1, { id: 'a', created_at: '2026-01-01T00:00:00.000123Z' });

  expect(ids(loaded(10, [early, late]))).toEqual(['a', 'b']);
});

describe('the position', () => {
  test('follows pushed events', () => {
    expect(changed(loaded(10, []), pushed(14, lead(1))).position).toBe(14);
  });

  test('takes in an own change only when everything before it has come', () => {
    const ahead = changed(loaded(10, []), own(pushed(12, lead(2))));
    const complete = changed(ahead, pushed(11, lead(1)));

    expect(ahead.position).toBe(10);
    expect(ids(ahead)).toEqual(['lead-2']);
    expect(complete.position).toBe(12);
  });

  test('takes in all facts of one own command', () => {
    expect(changed(loaded(10, [lead(1)]), own(pushed(13, lead(1, { version: 4 })), 3)).position).toBe(13);
  });

  test('takes nothing from an own command that changed nothing', () => {
    expect(changed(loaded(10, [lead(1)]), own(pushed(11, lead(1)), 0)).position).toBe(10);
  });
});

/** A server's log of a handful of leads, each entry as it would be pushed. */
const logs = fc
  .array(fc.record({ lead: fc.nat(7), action: fc.constantFrom('put', 'put', 'put', 'delete'), status: fc.constantFrom(...STATUSES), value: fc.option(fc.constantFrom('1', '20', '3')) }), {
    maxLength: 40,
  })
  .map((steps) => {
    const versions = new Map<number, number>();
    const gone = new Set<number>();
    const log: Change[] = [];
    for (const { lead: number, action, status, value } of steps) {
      if (!gone.has(number) && (action === 'put' || versions.has(number))) {
        const version = (versions.get(number) ?? 0) + 1;
        versions.set(number, version);
        const entry = { lead: lead(number, { version, status, value, name: `Lead ${value}`, updated_at: new Date(log.length * 1000).toISOString() }), position: log.length + 1, ownFacts: null };
        log.push({ ...entry, deleted: action === 'delete' });
        if (action === 'delete') {
          gone.add(number);
        }
      }
    }
    return log;
  });

interface Wanted {
  filter: string | null;
  sort: LeadQuery;
}

const SORTS: LeadQuery[] = [{}, { order: 'asc' }, { sort: 'updated' }, { sort: 'name' }, { sort: 'value' }, { sort: 'value', order: 'asc' }];

/** What `GET /leads` answers when the feed stands at `position`; `next` is the last lead of a page that is not the last. */
function answer(log: Change[], position: number, { filter, sort }: Wanted, limit: number, next: string | null): LeadPage {
  const inOrder = order(sort);
  const leads = new Map<string, Lead>();
  for (const change of log.slice(0, position)) {
    if (change.deleted) {
      leads.delete(change.lead.id);
    } else {
      leads.set(change.lead.id, change.lead);
    }
  }
  const rows = [...leads.values()]
    .filter(({ status }) => filter === null || status === filter)
    .filter((row) => next === null || inOrder(JSON.parse(next) as Lead, row) < 0)
    .sort(inOrder);
  const shown = rows.slice(0, limit);
  return page(position, shown, rows.length > limit ? JSON.stringify(shown.at(-1)) : null);
}

test('however pages, events and own answers interleave, the list ends as the server has it', () => {
  const scenario = fc.record({
    log: logs,
    wanted: fc.record({ filter: fc.option(fc.constantFrom(...STATUSES)), sort: fc.constantFrom(...SORTS) }),
    limit: fc.integer({ min: 1, max: 8 }),
    steps: fc.array(
      fc.record({
        action: fc.constantFrom('event', 'event', 'event', 'own', 'reload', 'more'),
        lag: fc.nat(4),
      }),
      { maxLength: 80 },
    ),
  });

  fc.assert(
    fc.property(scenario, ({ log, wanted, limit, steps }) => {
      let list = opened(wanted.filter, wanted.sort);
      let head = 0; // how far the server is
      let time = 0;
      let request = 0; // a later one abandons those before it
      let due: { at: number; happen: () => void }[] = [];
      const later = (lag: number, happen: () => void) => due.push({ at: time + lag, happen });
      const ask = (next: string | null) => answer(log, head, wanted, limit, next);
      const reload = (lag: number) => {
        list = loading(list);
        const mine = ++request;
        const first = ask(null);
        later(lag, () => {
          // The second page is read when the first has come, at whatever position the feed has by then.
          const pages: [LeadPage, ...LeadPage[]] = first.next === null ? [first] : [first, ask(first.next)];
          later(lag, () => {
            list = mine === request ? hydrated(list, pages) : list;
          });
        });
      };
      const more = (lag: number) => {
        const { next } = list;
        if (next !== null && !list.loading) {
          list = loading(list);
          const mine = ++request;
          const older = ask(next);
          later(lag, () => {
            list = mine === request ? extended(list, older) : list;
          });
        }
      };
      const commit = (isOwn: boolean, lag: number) => {
        const change = log[head];
        if (change !== undefined) {
          head += 1;
          later(isOwn ? lag : 2, () => (list = changed(list, isOwn ? own(change) : change))); // events keep their order
        }
      };
      const settle = (until: number) => {
        while (due.some(({ at }) => at <= until)) {
          const ready = due.filter(({ at }) => at <= until).sort((one, other) => one.at - other.at);
          due = due.filter(({ at }) => at > until);
          ready.forEach(({ happen }) => happen());
        }
      };

      reload(0);
      for (const { action, lag } of steps) {
        time += 1;
        if (action === 'reload') {
          reload(lag);
        } else if (action === 'more') {
          more(lag);
        } else {
          commit(action === 'own', lag);
        }
        settle(time);
      }
      settle(Infinity);
      while (list.next !== null) {
        more(0);
        settle(Infinity);
      }

      expect(list.rows).toEqual(answer(log, head, wanted, Infinity, null).rows);
      expect(list.position).toBe(head);
    }),
    { numRuns: 2_000 },
  );
});
