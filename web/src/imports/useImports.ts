/** A company's imports: listed, uploaded, mapped, started, followed live, taken back. */

import { onScopeDispose, shallowRef } from 'vue';
import { useI18n } from 'vue-i18n';

import type { ImportAnswer, ImportPage, MappingBody } from '../api/leads';
import type { LiveEcho } from '../echo';
import type { Http } from '../lib/http';
import { idempotencyKeys } from '../lib/idempotency';
import { persistent, type LoadFailure } from '../lib/persistent';
import { onReset } from '../lib/reset';
import type { Position } from '../lib/resume';
import type { ImportPush } from '../types';
import { put, told, type Import } from './importList';

export type Mapping = Pick<Import, 'mapping' | 'duplicates'>;

/** With `allowed` false nothing is asked for: the person's role may not see imports. */
export function useImports(request: Http, echo: LiveEcho, companyId: string, allowed: boolean) {
  const { locale } = useI18n();
  const imports = shallowRef<readonly Import[]>([]);
  const failure = shallowRef<LoadFailure | null>(null);
  const loaded = shallowRef(false);
  const keyFor = idempotencyKeys();

  const loading = persistent(
    async (signal) => {
      const { data } = await request<ImportPage>('/imports', { query: { limit: 50 }, signal });
      if (!signal.aborted) {
        imports.value = data;
        loaded.value = true;
      }
    },
    (error) => (failure.value = error),
  );

  function take(one: Import): Import {
    imports.value = put(imports.value, one);
    return one;
  }

  const answer = async (asked: Promise<ImportAnswer>): Promise<Import> => take((await asked).data);
  const read = (id: string): Promise<Import> => answer(request(`/imports/${id}`));

  function onProgress(event: ImportPush): void {
    const shown = imports.value.find(({ id }) => id === event.id);
    if (shown === undefined) {
      loading.run(); // a colleague's, started just now
    } else {
      take(told(shown, event));
    }
  }

  function onPosition({ resumed }: Position): void {
    if (resumed === false) {
      loading.run();
    }
  }

  if (allowed) {
    const company = echo.private(`company.${companyId}`).listen('.import.progress', onProgress).listen('.leadwire:position', onPosition);
    const ignoreResets = onReset(echo, companyId, loading.run);
    loading.run();
    onScopeDispose(() => {
      ignoreResets();
      loading.stop();
      company.stopListening('.import.progress', onProgress).stopListening('.leadwire:position', onPosition);
    });
  }

  return {
    imports,
    failure,
    loaded,
    read,
    upload: (file: File) => answer(request('/imports', { file, query: { name: file.name } })),
    map: (id: string, { mapping, duplicates }: Mapping, defaults: MappingBody['defaults']) =>
      answer(request(`/imports/${id}/mapping`, { method: 'PUT', body: { mapping, duplicates, defaults } })),
    start: async (id: string): Promise<Import> => {
      await request(`/imports/${id}/start`, { method: 'POST', key: keyFor({ start: id }) });
      return read(id);
    },
    cancel: async (id: string): Promise<Import> => {
      await request(`/jobs/${id}/cancel`, { method: 'POST' });
      return read(id);
    },
    revert: async (id: string): Promise<Import> => {
      await request(`/imports/${id}/revert`, { method: 'POST' });
      return read(id);
    },
    forget: async (id: string): Promise<void> => {
      await request(`/imports/${id}`, { method: 'DELETE', text: true });
      imports.value = imports.value.filter((one) => one.id !== id);
    },
    /** The rows that failed, as a file. */
    errors: (id: string) => request<string>(`/imports/${id}/errors.csv`, { query: { locale: locale.value }, text: true }),
  };
}
