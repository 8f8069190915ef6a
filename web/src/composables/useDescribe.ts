/** What to tell a person about a failed request, in their language where we have the words. */

import { useI18n } from 'vue-i18n';

import { Problem, Unreachable } from '../lib/problem';

export function useDescribe() {
  const { t, te } = useI18n();

  return (error: unknown): string => {
    if (error instanceof Unreachable) {
      return t('error.unreachable');
    }
    if (!(error instanceof Problem)) {
      throw error; // our own bug
    }
    if (te(`refusal.${error.code}`)) {
      return t(`refusal.${error.code}`);
    }
    if (error.paths.includes('q')) {
      return t('list.notSearchable');
    }
    if (error.status === 401) {
      return t('error.session');
    }
    if (error.status === 403) {
      return t('error.forbidden');
    }
    if (error.status === 404) {
      return t('error.gone');
    }
    if (error.paths.length > 0) {
      return t('error.invalid');
    }
    if (error.status >= 500) {
      const reference = error.correlationId === null ? '' : ' ' + t('error.reference', { id: error.correlationId });
      return t('error.server') + reference;
    }
    return t('error.refused', { code: error.code || error.status });
  };
}
