/**
 * The live list of leads as a value: pages and changes in, a new list out. No clock, no network, no Vue.
 *
 * Changes come from two sides that are not ordered against each other: pushed events, in feed order, and the REST
 * answers to this tab's own commands, whose events the server does not push back. A change is therefore applied at most
 * once per lead and version, whichever side brings it first, and never below the position of the loaded page.
 */

import type { Lead } from '../types';

export interface LeadPage {
  rows: readonly Lead[];
  /** Feed position the page reflects. */
  position: number;
  /** Where the next, older page is; null when this is the last. */
  next: string | null;
}

export interface Change {
  /** The lead after the change; for a deletion, its last state. */
  lead: Lead;
  position: number;
  deleted: boolean;
  /** Null for a pushed event. For this tab's own command, learnt from its answer: how many facts it made, up to `position`. */
  ownFacts: number | null;
}

export interface LeadList {
  filter: string | null;
  /** Newest first. */
  rows: readonly Lead[];
  /** Position of the first loaded page: changes at or below it are already in the rows. Null until loaded. */
  base: number | null;
  /** Every change up to here is reflected. */
  position: number;
  /** Own changes beyond `position`, still waiting for the pushed events before them. */
  ahead: ReadonlySet<number>;
  /** Last version applied of each lead inside the window, shown or not: what stops a late change from undoing a newer one. */
  versions: ReadonlyMap<string, number>;
  /** The oldest lead loaded so far; older ones belong to pages not loaded yet. Null when everything is loaded. */
  edge: Lead | null;
  next: string | null;
  /** A page is on its way, so changes are also kept to be replayed over it. */
  loading: boolean;
  buffer: readonly Change[];
}

/** A list that waits for its first page. */
export function opened(filter: string | null): LeadList {
  return {
    filter,
    rows: [],
    base: null,
    position: 0,
    ahead: new Set(),
    versions: new Map(),
    edge: null,
    next: null,
    loading: true,
    buffer: [],
  };
}

/** Call before a page is requested: from here on no change can fall between the page and the events. */
export function loading(list: LeadList): LeadList {
  return { ...list, loading: true };
}

/** Show another status from now on; the rows already here narrow at once, the rest needs new pages. */
export function filtered(list: LeadList, filter: string | null): LeadList {
  return { ...loading(list), filter, rows: list.rows.filter((row) => matches(filter, row)) };
}

/** Start over from freshly loaded pages, newest page first. */
export function hydrated(list: LeadList, pages: readonly [LeadPage, ...LeadPage[]]): LeadList {
  const { position } = pages[0];
  const fresh = { ...opened(list.filter), base: position, position, buffer: list.buffer };
  return replayed(pages.reduce(appended, fresh));
}

/** Append the next, older page. */
export function extended(list: LeadList, page: LeadPage): LeadList {
  return replayed(appended(list, page));
}

export function changed(list: LeadList, change: Change): LeadList {
  if (list.base !== null && change.position <= list.base) {
    return list;
  }
  const kept = list.loading ? { ...list, buffer: [...list.buffer, change] } : list;
  return list.base === null ? kept : advanced(applied(kept, change), change);
}

function appended(list: LeadList, page: LeadPage): LeadList {
  const versions = new Map(list.versions);
  const shown = new Map(list.rows.map((row) => [row.id, row]));
  for (const row of page.rows) {
    if (row.version >= (versions.get(row.id) ?? 0)) {
      versions.set(row.id, row.version);
      shown.set(row.id, row);
    }
  }
  const rows = [...shown.values()].filter((row) => matches(list.filter, row)).sort(newestFirst);
  const edge = page.next === null ? null : (page.rows.at(-1) ?? list.edge);
  return { ...list, rows, versions, edge, next: page.next };
}

function replayed(list: LeadList): LeadList {
  const inOrder = list.buffer.toSorted((one, other) => one.position - other.position);
  return inOrder.reduce(changed, { ...list, loading: false, buffer: [] });
}

function applied(list: LeadList, { lead, deleted }: Change): LeadList {
  const known = list.versions.get(lead.id);
  if (known === undefined && list.edge !== null && newestFirst(list.edge, lead) < 0) {
    return list; // on a page not loaded yet, which will bring it as it then is
  }
  // A deletion may carry the version it deleted; nothing else repeats a version.
  if (known !== undefined && (deleted ? lead.version < known : lead.version <= known)) {
    return list;
  }
  const rows = list.rows.filter((row) => row.id !== lead.id);
  if (!deleted && matches(list.filter, lead)) {
    const older = rows.findIndex((row) => newestFirst(lead, row) < 0);
    rows.splice(older === -1 ? rows.length : older, 0, lead);
  }
  return { ...list, rows, versions: new Map(list.versions).set(lead.id, lead.version) };
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

function matches(filter: string | null, lead: Lead): boolean {
  return filter === null || lead.status === filter;
}

function newestFirst(one: Lead, other: Lead): number {
  return (
    Date.parse(other.created_at) - Date.parse(one.created_at) ||
    microseconds(other.created_at) - microseconds(one.created_at) ||
    (one.id < other.id ? 1 : one.id > other.id ? -1 : 0)
  );
}

/** The digits of a timestamp that `Date` drops. */
function microseconds(timestamp: string): number {
  return Number((/\.\d{3}(\d{1,3})/.exec(timestamp)?.[1] ?? '').padEnd(3, '0'));
}
