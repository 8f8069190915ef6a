/** The company's figures: asked for once, pushed from then on. */

import { onScopeDispose, shallowRef } from 'vue';

import type { LiveEcho } from '../echo';
import type { Api } from '../lib/api';
import { persistent } from '../lib/persistent';
import type { Position } from '../lib/resume';
import { onReset } from '../lib/reset';
import { newer } from '../lib/stats';
import type { PositionedStats } from '../types';

export function useStats(api: Api, echo: LiveEcho, companyId: string) {
  const stats = shallowRef<PositionedStats | null>(null);
  const loading = persistent(async (signal) => show(await api.stats(signal)));

  function show(incoming: PositionedStats): void {
    stats.value = newer(stats.value, incoming);
  }

  echo
    .private(`cache-company.${companyId}.stats`)
    .listen('.stats.updated', show)
    .listen('.leadwire:position', ({ resumed }: Position) => resumed === false && loading.run());
  const ignoreResets = onReset(echo, companyId, () => {
    stats.value = null;
    loading.run();
  });
  loading.run();
  onScopeDispose(() => {
    ignoreResets();
    loading.stop();
    echo.leave(`cache-company.${companyId}.stats`);
  });
  return stats;
}
