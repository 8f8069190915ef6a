/** Between a lead and the strings of its form. */

import type { Lead } from '../types';

export type Field = 'name' | 'email' | 'phone' | 'organisation' | 'source' | 'status' | 'assigned_to';

type LeadInput = Pick<Lead, Field>;

export type Draft = Record<Exclude<Field, 'status'>, string> & Pick<LeadInput, 'status'>;

export function draftOf(lead: Lead | null): Draft {
  return {
    name: lead?.name ?? '',
    email: lead?.email ?? '',
    phone: lead?.phone ?? '',
    organisation: lead?.organisation ?? '',
    source: lead?.source ?? '',
    status: lead?.status ?? 'new',
    assigned_to: lead?.assigned_to ?? '',
  };
}

/** The body that creates a lead: what was left empty is left out. */
export function creation(draft: Draft): Partial<LeadInput> & { name: string } {
  const filled = Object.entries(inputOf(draft)).filter(([, value]) => value !== null);
  return { ...Object.fromEntries(filled), name: draft.name.trim() };
}

/** The body that changes `lead` into the draft: only the fields that differ, so that other people's edits survive. */
export function difference(lead: Lead, draft: Draft): Partial<LeadInput> {
  return Object.fromEntries(Object.entries(inputOf(draft)).filter(([field, value]) => lead[field as Field] !== value));
}

function inputOf(draft: Draft): LeadInput {
  return {
    name: draft.name.trim(),
    email: draft.email.trim() || null,
    phone: draft.phone.trim() || null,
    organisation: draft.organisation.trim() || null,
    source: draft.source.trim() || null,
    status: draft.status,
    assigned_to: draft.assigned_to || null,
  };
}
