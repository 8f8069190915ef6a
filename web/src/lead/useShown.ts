/** How a lead's values read in the person's language, with the names that the company gave. */

import { useI18n } from 'vue-i18n';

import type { Value } from '../lib/merge';
import { useWorkspace } from '../live/workspace';

export function useShown() {
  const { t, te, d, n } = useI18n();
  const { company } = useWorkspace();

  function label(field: string): string {
    const own = company.fields.value.find(({ key }) => `custom.${key}` === field);
    const key = [`field.${field}`, `leadPage.field.${field}`].find((one) => te(one));
    return own?.label ?? (key === undefined ? field : t(key));
  }

  function shown(field: string, value: Value): string {
    if (value === null || (Array.isArray(value) && value.length === 0)) {
      return '–';
    }
    if (Array.isArray(value)) {
      return value.join(', ');
    }
    switch (field) {
      case 'status':
        return company.stage(String(value))?.name ?? String(value);
      case 'assigned_to':
        return person(String(value));
      case 'source':
        return company.source(String(value))?.name ?? String(value);
      case 'value':
        return n(Number(value), { minimumFractionDigits: 2, maximumFractionDigits: 2 });
      case 'converted_at':
      case 'status_since':
        return moment(String(value));
    }
    return typeof value === 'boolean' ? t(value ? 'leadPage.yes' : 'leadPage.no') : String(value);
  }

  const person = (id: string | null): string => company.person(id)?.name ?? t('list.somebody');

  const moment = (time: string): string => d(new Date(time), { dateStyle: 'medium', timeStyle: 'short' });

  return { label, shown, person, moment };
}
