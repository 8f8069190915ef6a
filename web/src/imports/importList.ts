/** Imports as a value: pages, answers and events in, in whatever order they come. */

import type { ShownImport } from '../api/leads';
import type { ImportPush } from '../types';

export type { ShownImport as Import };

const OVER = new Set(['done', 'cancelled', 'failed', 'reverted']);

export function isOver({ state }: ShownImport): boolean {
  return OVER.has(state);
}

/** Of the rows, 0 to 1. */
export function progress({ done, rows }: ShownImport): number {
  return rows === 0 ? 0 : Math.min(1, done / rows);
}

/** What an event says of an import that is shown; the answer to a question asked later says it in full. */
export function told(shown: ShownImport, event: ImportPush): ShownImport {
  const { done, rows, created, updated, duplicates, failed, outcome } = event;
  if (event.state !== 'reverted' && done < shown.done) {
    return shown; // it came late
  }
  const state = event.state === 'reverted' ? 'reverted' : isOver(shown) ? shown.state : (outcome ?? 'running');
  return { ...shown, state: state as ShownImport['state'], done, rows, created, updated, duplicated: duplicates, failed };
}

/** Put an import into the list, where it stands already or in front. */
export function put(list: readonly ShownImport[], one: ShownImport): readonly ShownImport[] {
  return list.some(({ id }) => id === one.id) ? list.map((other) => (other.id === one.id ? one : other)) : [one, ...list];
}

/** Whether a mapping can be started: no field twice, and each required one there. */
export function missing(mapping: readonly (string | null)[], fields: readonly { field: string; required: boolean }[]): string[] {
  return fields.filter(({ field, required }) => required && !mapping.includes(field)).map(({ field }) => field);
}

/** The same field for two columns is the later one's: the earlier column is left out. */
export function mapped(mapping: readonly (string | null)[], column: number, field: string | null): (string | null)[] {
  return mapping.map((one, index) => (index === column ? field : one !== null && one === field ? null : one));
}
