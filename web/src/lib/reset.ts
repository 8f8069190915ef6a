/** What was heard before does not hold any more: an older state of the log was restored, or something untrue was pushed. */

import type { LiveEcho } from '../echo';
import type { JobPush } from '../types';

/** Call `reload` when the company is told to load everything again; returns what ends that. */
export function onReset(echo: LiveEcho, companyId: string, reload: () => void): () => void {
  const channel = echo.private(`company.${companyId}`);
  const listener = ({ reset }: Partial<JobPush>): void => {
    if (reset) {
      reload();
    }
  };
  channel.listen('.leads.changed', listener);
  return () => channel.stopListening('.leads.changed', listener);
}
