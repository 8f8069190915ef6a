/** What the leads service says over REST and over the company's channels. */

export const STATUSES = ['new', 'contacted', 'qualified', 'won', 'lost'] as const;

export type Status = (typeof STATUSES)[number];

export interface Lead {
  id: string;
  name: string;
  email: string | null;
  phone: string | null;
  organisation: string | null;
  source: string | null;
  status: Status;
  assigned_to: string | null;
  /** ISO 8601, UTC. */
  created_at: string;
  version: number;
}

/** The payload of `lead.created`, `lead.updated` and `lead.deleted`: the lead after the fact, and the fact's place in the feed. */
export interface LeadEvent extends Lead {
  position: number;
  /** User id, or null when no user did it. */
  actor: string | null;
  /** Only on `lead.created`: it was deleted before, and is back. */
  restored?: true;
}

export interface Stats {
  total: number;
  new_this_month: number;
  by_status: Partial<Record<Status, number>>;
  /** 0 to 1. */
  conversion: number;
}

/** The payload of `stats.updated`; REST answers are folded into the same shape. */
export interface PositionedStats extends Stats {
  position: number;
}

export interface Colleague {
  id: string;
  name: string;
  /** Those who left keep their leads, and get no new ones. */
  active: boolean;
}

/** Where leads come from; a company that names none takes any text. */
export interface Source {
  /** What a lead says. */
  key: string;
  name: string;
  active: boolean;
}

export interface User extends Omit<Colleague, 'active'> {
  email: string;
  company_id: string;
  company_name: string;
}

/** What a person may type about a lead; null empties a field. */
export interface LeadInput {
  name: string;
  email: string | null;
  phone: string | null;
  organisation: string | null;
  source: string | null;
  status: Status;
  assigned_to: string | null;
}
