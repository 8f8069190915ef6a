/** One live list a stage, and what is on its way to the server shown where it will be. */

import { computed, effectScope, onScopeDispose, shallowRef, watch, type ComputedRef, type EffectScope } from 'vue';

import { useLeadsRealtime, type LeadsRealtime, type Options } from '../composables/useLeadsRealtime';
import { patched } from '../lib/merge';
import { order, type LeadQuery } from '../lib/leadQuery';
import { useWorkspace } from '../live/workspace';
import type { Lead } from '../types';

interface Part {
  live: LeadsRealtime;
  scope: EffectScope;
}

type Shared = Omit<Options, 'query' | 'needed'> & { query: ComputedRef<LeadQuery>; needed: (stage: string) => number };

export function useBoard({ query, needed, ...shared }: Shared) {
  const { company, commands } = useWorkspace();
  const parts = shallowRef<ReadonlyMap<string, Part>>(new Map());

  watch(
    () => company.stages.value.map(({ key }) => key),
    (keys) => {
      const known = parts.value;
      parts.value = new Map(keys.map((key) => [key, known.get(key) ?? begin(key)]));
      for (const [key, { scope }] of known) {
        if (!keys.includes(key)) {
          scope.stop();
        }
      }
    },
    { immediate: true },
  );

  function begin(stage: string): Part {
    const scope = effectScope(true);
    const live = scope.run(() => {
      const made = useLeadsRealtime({ ...shared, query: () => ({ ...query.value, status: stage }), needed: () => needed(stage) });
      onScopeDispose(commands.listen(made.applyOwn));
      return made;
    })!;
    return { live, scope };
  }

  onScopeDispose(() => parts.value.forEach(({ scope }) => scope.stop()));

  /** Every loaded lead under the stage that it has now or will have. */
  const columns = computed<ReadonlyMap<string, readonly Lead[]>>(() => {
    const moving: Lead[] = [];
    const byStage = new Map<string, Lead[]>();
    for (const [stage, { live }] of parts.value) {
      const { rows } = live.list.value;
      if (commands.pending.size === 0) {
        byStage.set(stage, rows as Lead[]);
        continue;
      }
      const shown = rows.map((lead) => (commands.pending.has(lead.id) ? patched(lead, commands.pending.get(lead.id)!) : lead));
      byStage.set(stage, shown.filter((lead) => lead.status === stage));
      moving.push(...shown.filter((lead) => lead.status !== stage));
    }
    for (const lead of moving) {
      byStage.set(lead.status, [...(byStage.get(lead.status) ?? []), lead].sort(order(query.value)));
    }
    return byStage;
  });

  /** The lead as the server has it, without what is on its way. */
  function saved(id: string): Lead | undefined {
    for (const { live } of parts.value.values()) {
      const found = live.list.value.rows.find((lead) => lead.id === id);
      if (found !== undefined) {
        return found;
      }
    }
    return undefined;
  }

  return { parts, columns, saved };
}
