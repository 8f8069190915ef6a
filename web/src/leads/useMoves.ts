/** Moving a lead to another stage, asking for a reason where the stage wants one. */

import { shallowRef } from 'vue';

import { useWorkspace } from '../live/workspace';
import type { Lead } from '../types';

export function useMoves() {
  const { company, commands } = useWorkspace();
  /** A move that waits for its reason. */
  const asking = shallowRef<{ lead: Lead; stage: string } | null>(null);

  function move(lead: Lead, stage: string): void {
    if (company.stage(stage)?.reason_required === true && lead.lost_reason === null) {
      asking.value = { lead, stage };
    } else {
      void commands.change(lead, { status: stage });
    }
  }

  function give(reason: string): void {
    const { lead, stage } = asking.value!;
    asking.value = null;
    void commands.change(lead, { status: stage, lost_reason: reason });
  }

  return { asking, move, give };
}
