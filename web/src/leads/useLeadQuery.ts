/** What the address asks for: filters, search, sort, and the saved view they began from. A link is a list. */

import { computed } from 'vue';
import { useRoute, useRouter, type LocationQuery } from 'vue-router';

import { narrows, sameQuery, valuesOf, withValues, type LeadQuery } from '../lib/leadQuery';
import { useWorkspace } from '../live/workspace';

const OURS = new Set(['view', 'edited']);

export type LeadQueryState = ReturnType<typeof useLeadQuery>;

export function useLeadQuery() {
  const route = useRoute();
  const router = useRouter();
  const { company } = useWorkspace();

  const viewId = computed(() => (typeof route.query.view === 'string' ? route.query.view : null));
  const view = computed(() => company.views.value.find(({ id }) => id === viewId.value) ?? null);
  /** A view that is not known (yet) shows nothing of its own. */
  const own = computed(() => parametersOf(route.query));
  const query = computed<LeadQuery>(() => (view.value !== null && !('edited' in route.query) ? view.value.query : own.value));
  /** Whether the view's address can be trusted: its name may still be on its way. */
  const known = computed(() => viewId.value === null || company.loaded.value);
  const edited = computed(() => (view.value === null ? narrows(query.value) || 'sort' in query.value : !sameQuery(query.value, view.value.query)));

  function show(wanted: LeadQuery, viewOf: string | null = viewId.value): void {
    const mark = viewOf === null ? {} : { view: viewOf, edited: '1' };
    void router.replace({ query: { ...(wanted as Record<string, string | string[]>), ...mark } });
  }

  return {
    query,
    view,
    known,
    edited,
    show,
    showView: (id: string | null) => router.push({ name: 'leads', query: id === null ? {} : { view: id } }),
    set: (name: string, values: readonly string[]) => show(withValues(query.value, name, values)),
    values: (name: string) => valuesOf(query.value, name),
    clear: () => show({}),
  };
}

function parametersOf(query: LocationQuery): LeadQuery {
  const entries = Object.entries(query).filter(([name]) => !OURS.has(name));
  const read = entries.map(([name, value]) => [name, Array.isArray(value) ? value.filter((one) => one !== null) : (value ?? '')]);
  return Object.fromEntries(read.filter(([, value]) => value !== ''));
}
