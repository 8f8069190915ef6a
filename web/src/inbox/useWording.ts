/** What a notification says, in the person's language. */

import { useI18n } from 'vue-i18n';

import type { Company } from '../live/useCompany';
import type { Notification } from './inbox';

type Told = Pick<Notification, 'kind' | 'actor' | 'lead'> & { details?: Record<string, unknown> };

export function useWording(company: Company) {
  const { t } = useI18n();

  return ({ kind, actor, lead, details = {} }: Told): string =>
    t(`inbox.kind.${kind}`, {
      actor: company.person(actor)?.name ?? t('list.somebody'),
      lead: lead?.name ?? '',
      stage: company.stage(String(details.new))?.name ?? String(details.new ?? ''),
      name: String(details.name ?? ''),
      created: String(details.created ?? 0),
    });
}
