/** What is wrong with a field, in the person's words: what could not be read, and what the server refused. */

import { useI18n } from 'vue-i18n';

import { CURRENCY, type FieldSpec } from '../lib/fields';
import type { Misread } from '../lib/formats';
import type { Problem } from '../lib/problem';

export function useFieldErrors() {
  const { t, te } = useI18n();

  const misread = ({ code, values = {} }: Misread): string => t(`misread.${code}`, values);

  /** '' when it was not this field. */
  function refused(problem: Problem, { path, kind }: FieldSpec): string {
    const isMeant = problem.paths.some((one) => one === path || (kind === 'money' && one === CURRENCY));
    if (!isMeant) {
      return '';
    }
    return te(`refusal.${problem.code}`) ? t(`refusal.${problem.code}`) : t(`invalid.${kind}`);
  }

  return { misread, refused };
}
