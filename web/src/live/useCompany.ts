/** What the company has set up: stages, fields of its own, sources, people, saved views. Looked up by key or id. */

import { computed, onScopeDispose, shallowRef } from 'vue';

import type { Api } from '../lib/api';
import { stageTone, type Tone } from '../lib/look';
import { persistent } from '../lib/persistent';
import type { CompanyShown, CustomField, Person, SavedView, Source, Stage } from '../types';

export interface ShownStage extends Stage {
  tone: Tone;
}

export type Company = ReturnType<typeof useCompany>;

export function useCompany(api: Api) {
  const about = shallowRef<CompanyShown | null>(null);
  const stages = shallowRef<readonly ShownStage[]>([]);
  const fields = shallowRef<readonly CustomField[]>([]);
  const sources = shallowRef<readonly Source[]>([]);
  const people = shallowRef<readonly Person[]>([]);
  const views = shallowRef<readonly SavedView[]>([]);
  const loaded = shallowRef(false);

  const loading = persistent(async (signal) => {
    const [company, pipeline, custom, known, users, saved] = await Promise.all([
      api.company(signal),
      api.pipeline(signal),
      api.customFields(signal),
      api.sources(signal),
      api.people(signal),
      api.views(signal),
    ]);
    if (signal.aborted) {
      return;
    }
    about.value = company;
    let open = 0;
    stages.value = pipeline.map((stage) => ({ ...stage, tone: stageTone(stage.kind, stage.kind === 'open' ? open++ : 0) }));
    fields.value = custom;
    sources.value = known;
    people.value = users;
    views.value = saved;
    loaded.value = true;
  });

  const stageByKey = computed(() => new Map(stages.value.map((stage) => [stage.key, stage])));
  const personById = computed(() => new Map(people.value.map((person) => [person.id, person])));
  const sourceByKey = computed(() => new Map(sources.value.map((source) => [source.key, source])));

  onScopeDispose(loading.stop);

  return {
    about,
    stages,
    fields,
    sources,
    people,
    views,
    loaded,
    /** Ask for all of it again: settings are not pushed. */
    refresh: loading.run,
    stage: (key: string) => stageByKey.value.get(key),
    person: (id: string | null) => (id === null ? undefined : personById.value.get(id)),
    source: (key: string | null) => (key === null ? undefined : sourceByKey.value.get(key)),
  };
}
