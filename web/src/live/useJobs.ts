/** Changes of many leads: begun here, worked off by the server, watched until they are over, and taken back if wanted. */

import { onScopeDispose, shallowRef } from 'vue';
import { useI18n } from 'vue-i18n';

import { useDescribe } from '../composables/useDescribe';
import type { Toasts } from '../composables/useToasts';
import type { LiveEcho } from '../echo';
import type { Api } from '../lib/api';
import { randomUuid } from '../lib/idempotency';
import { followed, shownJob, type Work } from '../lib/jobs';
import { persistent } from '../lib/persistent';
import { onReset } from '../lib/reset';
import type { Position } from '../lib/resume';
import type { BulkBody, JobProgressPush, User } from '../types';

export type Jobs = ReturnType<typeof useJobs>;

export function useJobs(api: Api, echo: LiveEcho, user: User, toasts: Toasts) {
  const { t } = useI18n();
  const describe = useDescribe();
  /** One's own, the newest first, until they are dismissed. */
  const works = shallowRef<readonly Work[]>([]);

  const catchUp = persistent(async (signal) => {
    const open = await api.openJobs(signal);
    const known = works.value.filter(({ state }) => state !== 'over').map(({ id }) => id);
    const ended = await Promise.all(known.filter((id) => !open.some((job) => job.id === id)).map((id) => api.job(id, signal)));
    if (!signal.aborted) {
      [...open, ...ended].filter(({ author, kind }) => author === user.id && kind !== 'import').forEach((job) => follow(shownJob(job)));
    }
  });

  function follow(work: Work): void {
    works.value = followed(works.value, work);
  }

  function onProgress(push: JobProgressPush): void {
    if (push.author === user.id) {
      const { id, kind, action, total, done, changed, refused, outcome, state } = push;
      follow({ id, kind, action, total, done, changed, refused, outcome, state: state === 'finished' ? 'over' : 'running', undone: false });
    }
  }

  const company = echo.private(`company.${user.company_id}`);
  const onPosition = ({ resumed }: Position): void => {
    if (resumed === false) {
      catchUp.run();
    }
  };
  company.listen('.job.progress', onProgress).listen('.leadwire:position', onPosition);
  const ignoreResets = onReset(echo, user.company_id, catchUp.run);
  onScopeDispose(() => {
    ignoreResets();
    catchUp.stop();
    company.stopListening('.job.progress', onProgress).stopListening('.leadwire:position', onPosition);
  });

  async function attempt(work: () => Promise<Work>): Promise<boolean> {
    try {
      follow(await work());
      return true;
    } catch (error) {
      toasts.add(`${t('job.notStarted')} ${describe(error)}`, { kind: 'error' });
      return false;
    }
  }

  return {
    works,
    start: (body: BulkBody) => attempt(async () => shownJob(await api.bulk(body, randomUuid()))),
    cancel: (id: string) => attempt(async () => shownJob(await api.cancelJob(id))),
    undo: (id: string) =>
      attempt(async () => {
        const undoing = shownJob(await api.undoJob(id));
        works.value = works.value.filter((work) => work.id !== id);
        return undoing;
      }),
    dismiss: (id: string) => {
      works.value = works.value.filter((work) => work.id !== id);
    },
  };
}
