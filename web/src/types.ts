/** What travels, by the names the screen uses. All of it is generated (../types); nothing is written here twice. */

import type { LeadPush, StatsPush } from './api/heard';
import type { LeadsApiUsersPerson, LeadSummary } from './api/leads';

export type { ImportPush, JobProgressPush, JobPush, MessagePush, NotificationPush, ReadPush } from './api/heard';
export type {
  Account as User,
  BulkBody,
  CompanyShown,
  FieldShown as CustomField,
  LeadPatchBody,
  Login,
  Message,
  NewLeadBody,
  NewViewBody,
  ProblemDetails,
  SavedView,
  ShownJob as Job,
  SourceShown as Source,
  Stage,
  Stats,
} from './api/leads';

/** A lead at one of its versions, and the log's epoch that the version belongs to: in another one it may be reused. */
export type Lead = LeadSummary & Partial<Pick<LeadPush, 'epoch'>>;

/** The payload of `lead.created`, `lead.updated` and `lead.deleted`: the lead after the fact, and the fact's place in the feed. */
export type LeadEvent = Lead & Pick<LeadPush, 'position' | 'actor' | 'event_id'> & Partial<Pick<LeadPush, 'changed' | 'merged_into' | 'restored'>>;

/** The payload of `stats.updated`; answers are folded into the same shape. */
export type PositionedStats = StatsPush;

export type Person = LeadsApiUsersPerson;

export type Role = Person['role'];
