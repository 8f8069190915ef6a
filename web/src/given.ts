/** Things that tests begin with. */

import type { Lead } from './types';

export function aLead(values: Partial<Lead> = {}): Lead {
  return {
    id: 'lead-1',
    name: 'Ada Lovelace',
    email: null,
    phone: null,
    organisation: null,
    title: null,
    source: null,
    status: 'new',
    status_since: '2026-01-01T10:00:00.000000Z',
    assigned_to: null,
    value: null,
    currency: null,
    score: null,
    tags: [],
    custom: {},
    lost_reason: null,
    messages: 0,
    contact_id: null,
    deal_id: null,
    converted_at: null,
    created_at: '2026-01-01T10:00:00.000000Z',
    updated_at: '2026-01-01T10:00:00.000000Z',
    version: 1,
    ...values,
  };
}
