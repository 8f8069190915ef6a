/**
 * The live list of leads as a value: pages and changes in, a new list out. No clock, no network, no Vue.
 *
 * Changes come from two sides that are not ordered against each other: pushed events, in feed order, and the REST
 * answers to this tab's own commands, whose events the server does not push back. A change is therefore applied at most
 * once per lead and version, whichever side brings it first, and never below the position of the loaded page.
 */

import type { Lead } from '../types';
import { membership, order, type LeadQuery, type Membership, type Order } from './leadQuery';

export interface LeadPage {
  rows: readonly Lead[];
  /** Feed position the page reflects. */
  position: number;
  /** The log's epoch of that position; absent when the api does not tell. */
  epoch?: string | null;
  /** Where the next page is; null when this is the last. */
  next: string | null;
}

export interface Change {
  /** The lead after the change; for a deletion, its last state. */
  lead: Lead;
  position: number;
  /** The log's epoch of that position; absent when it is not told. */
  epoch?: string | null;
  deleted: boolean;
  /** Null for a pushed event. For this tab's own command, learnt from its answer: how many facts it made, up to `position`. */
  ownFacts: number | null;
}

/** Which leads, and in which order. */
export interface Asked {
  query: LeadQuery;
  belongs: Membership;
  compare: Order;
}

export interface LeadList {
  asked: Asked;
  /** In order. */
  rows: readonly Lead[];
  /** Position of the first loaded page: changes at or below it are already in the rows. Null until loaded. */
  base: number | null;
  /** The log's epoch of these positions; null when it is not known. */
  epoch: string | null;
  /** Every change up to here is reflected. */
  position: number;
  /** Own changes beyond `position`, still waiting for the pushed events before them. */
  ahead: ReadonlySet<number>;
  /** Last version applied of each lead that was ever here: what stops a late change from undoing a newer one. */
  versions: ReadonlyMap<string, number>;
  /** Those of them that were deleted. */
  gone: ReadonlySet<string>;
  /** The last lead of the pages loaded so far; what comes behind it is on pages not loaded yet. Null when all are loaded. */
  edge: Lead | null;
  next: string | null;
  /** A page is on its way, so changes are also kept to be replayed over it. */
  loading: boolean;
  buffer: readonly Change[];
  /** A change came of which only the server can say whether its lead belongs here: load again. */
  doubtful: boolean;
}

export function asked(query: LeadQuery, caller: string): Asked {
  return { query, belongs: membership(query, caller), compare: order(query) };
}

/** A list that waits for its first page. */
export function opened(wanted: Asked): LeadList {
  return {
    asked: wanted,
    rows: [],
    base: null,
    epoch: null,
    position: 0,
    ahead: new Set(),
    versions: new Map(),
    gone: new Set(),
    edge: null,
    next: null,
    loading: true,
    buffer: [],
    doubtful: false,
  };
}

/** Call before a page is requested: from here on no change can fall between the page and the events. */
export function loading(list: LeadList): LeadList {
  return { ...list, loading: true, doubtful: false };
}

/** Ask for something else from now on; the rows already here narrow and sort at once, the rest needs new pages. */
export function narrowed(list: LeadList, wanted: Asked): LeadList {
  const rows = list.rows.filter((row) => wanted.belongs(row) !== false).sort(wanted.compare);
  return { ...loading(list), asked: wanted, rows, edge: null };
}

/** Forget all positions and versions: they may be used again. The rows stay in sight until the first page comes. */
export function reset(list: LeadList): LeadList {
  return { ...opened(list.asked), rows: list.rows };
}

/** Start over from freshly loaded pages. */
export function hydrated(list: LeadList, pages: readonly [LeadPage, ...LeadPage[]]): LeadList {
  const { position, epoch = null } = pages[0];
  const fresh = { ...opened(list.asked), base: position, epoch, position, buffer: list.buffer };
  return replayed(pages.reduce(appended, fresh));
}

/** Append the next page. */
export function extended(list: LeadList, page: LeadPage): LeadList {
  return replayed(appended(list, page));
}

/** Whether positions can be compared: where one side does not tell its epoch, nothing speaks against it. */
function comparable(list: LeadList, { epoch = null }: { epoch?: string | null }): boolean {
  return epoch === null || list.epoch === null || epoch === list.epoch;
}

/** Apply changes, in the order in which they came. Costs about the same for one as for many. */
export function changed(list: LeadList, ...changes: readonly Change[]): LeadList {
  const foreign = list.base !== null && changes.some((change) => !comparable(list, change));
  const news = changes.filter((change) => list.base === null || !comparable(list, change) || change.position > list.base);
  if (news.length === 0) {
    return list;
  }
  if (foreign) {
    // Another epoch: what is here is of a log that is gone, or the change is. A page that is loaded now will tell.
    return { ...list, buffer: list.loading ? [...list.buffer, ...news] : list.buffer, doubtful: true };
  }
  const kept = list.loading ? { ...list, buffer: [...list.buffer, ...news] } : list;
  return list.base === null ? kept : news.reduce(advanced, applied(kept, news));
}

function appended(list: LeadList, page: LeadPage): LeadList {
  const { compare, belongs } = list.asked;
  const versions = new Map(list.versions);
  const gone = new Set(list.gone);
  const shown = new Map(list.rows.map((row) => [row.id, row]));
  for (const row of page.rows) {
    const known = versions.get(row.id) ?? 0;
    if (row.version > known || (row.version === known && !gone.has(row.id))) {
      versions.set(row.id, row.version);
      gone.delete(row.id);
      shown.set(row.id, row);
    }
  }
  const rows = [...shown.values()].filter((row) => belongs(row) !== false).sort(compare);
  const edge = page.next === null ? null : (page.rows.at(-1) ?? list.edge);
  return { ...list, rows, versions, gone, edge, next: page.next, doubtful: list.doubtful || !comparable(list, page) };
}

function replayed(list: LeadList): LeadList {
  const inOrder = list.buffer.toSorted((one, other) => one.position - other.position);
  return changed({ ...list, loading: false, buffer: [] }, ...inOrder);
}

function applied(list: LeadList, changes: readonly Change[]): LeadList {
  const { belongs, compare } = list.asked;
  const rows = [...list.rows];
  const versions = new Map(list.versions);
  const gone = new Set(list.gone);
  let { doubtful } = list;

  for (const { lead, deleted } of changes) {
    const known = versions.get(lead.id) ?? 0;
    // A deletion may carry the version it deleted; nothing else repeats a version, but a page may have dropped the row since.
    const here = rows.findIndex(({ id }) => id === lead.id);
    const isOld = lead.version === known && !deleted && (gone.has(lead.id) || here !== -1);
    if (lead.version < known || isOld) {
      continue;
    }
    versions.set(lead.id, lead.version);
    if (deleted) {
      gone.add(lead.id);
    } else {
      gone.delete(lead.id);
    }
    const belongsHere = deleted ? false : belongs(lead);
    if (here !== -1) {
      rows.splice(here, 1);
    }
    doubtful ||= belongsHere === null;
    if (belongsHere === true || (belongsHere === null && here !== -1)) {
      insert(rows, lead, list.edge, compare);
    }
  }
  return { ...list, rows, versions, gone, doubtful };
}

/** Where its order puts it, unless that is on a page not loaded yet, which will bring it as it then is. */
function insert(rows: Lead[], lead: Lead, edge: Lead | null, compare: Order): void {
  if (edge !== null && compare(edge, lead) < 0) {
    return;
  }
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    [low, high] = compare(rows[middle]!, lead) < 0 ? [middle + 1, high] : [low, middle];
  }
  rows.splice(low, 0, lead);
}

/** Events arrive in feed order, so one proves all before it; an own answer proves only its own facts. */
function advanced(list: LeadList, change: Change): LeadList {
  const ahead = new Set(list.ahead);
  let position = list.position;
  if (change.ownFacts === null) {
    position = Math.max(position, change.position);
  } else {
    for (let fact = 0; fact < change.ownFacts; fact++) {
      ahead.add(change.position - fact);
    }
  }
  while (ahead.has(position + 1)) {
    position += 1;
  }
  return { ...list, position, ahead: new Set([...ahead].filter((waiting) => waiting > position)) };
}
