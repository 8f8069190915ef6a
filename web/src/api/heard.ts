/** Written by ./types, from what the services say of themselves. */

export type components = {
    schemas: {
        /** @description One field's value before and after. */
        Change: {
            new: string | number | boolean | string[] | null;
            old: string | number | boolean | string[] | null;
        };
        /** @description Another lead with the same e-mail address or phone number. */
        Duplicate: {
            /** @default null */
            assigned_to: string | null;
            id: string;
        };
        /** @description One fact on the wire. Extension attributes are lower case without separators (CloudEvents §3.1). */
        Envelope: {
            /**
             * @description The id of the user who did it; none for the system.
             * @default null
             */
            actor: string | null;
            /**
             * @description The id of the command that caused it.
             * @default null
             */
            causationid: string | null;
            companyid: string;
            /**
             * @description Follows one request through every process.
             * @default null
             */
            correlationid: string | null;
            data: {
                [key: string]: unknown;
            };
            /**
             * @default application/json
             * @constant
             */
            datacontenttype: "application/json";
            dataschema: string;
            /**
             * @description The log's epoch when the fact was sent. In another epoch the same position may be another fact.
             * @default null
             */
            feedepoch: string | null;
            /** @description Dense per company: 1, 2, 3 … */
            feedposition: number;
            /** @description The event id: a UUID, derived from the command, so that a retried command cannot mint a second one. */
            id: string;
            /**
             * @description The bulk job it is a part of: screens hear of the job, not of each of its facts.
             * @default null
             */
            jobid: string | null;
            /**
             * @description The author's Pusher socket, which does not hear its own change.
             * @default null
             */
            socketid: string | null;
            /** @default /leads */
            source: string;
            /**
             * @default 1.0
             * @constant
             */
            specversion: "1.0";
            /** @description Dense per subject. */
            streamversion: number;
            /** @description The id of what it is about: of the lead, the user, the import; of the company for its pipeline. */
            subject: string;
            /** Format: date-time */
            time: string;
            /** @default null */
            traceparent: string | null;
            type: string;
        };
        /** @description What became of a company's leads in one stage of its pipeline. */
        FunnelStage: {
            /** @description Leads that are there and have ever been in it. */
            entered: number;
            /**
             * @description How long stays that ended took, the median, within 5 %; None without any.
             * @default null
             */
            median_seconds: number | null;
            /**
             * @description `entered` divided by that of the stage before it which is not lost; more than 1 when leads start later than there; None for the first stage, and when nobody came to the one before.
             * @default null
             */
            rate: number | null;
            stage: string;
        };
        /** @description An import came to its end. */
        ImportFinished: {
            imported: components["schemas"]["ImportSummary"];
        };
        /** @description An import is under way; at most about once a second. */
        ImportProgressed: {
            imported: components["schemas"]["ImportSummary"];
        };
        /** @description The data of `import.progress` on `private-company.<id>`. */
        ImportPush: {
            /** @default null */
            actor: string | null;
            /**
             * @description The log's epoch.
             * @default null
             */
            epoch: string | null;
            event_id: string;
            position: number;
            /** @enum {string} */
            state: "started" | "running" | "finished" | "reverted";
        } & components["schemas"]["ImportSummary"];
        /** @description Somebody took an import back: its leads are deleted. */
        ImportReverted: {
            imported: components["schemas"]["ImportSummary"];
        };
        /** @description Somebody imports leads. */
        ImportStarted: {
            imported: components["schemas"]["ImportSummary"];
        };
        /** @description An import of leads from a file, as it is after a fact. */
        ImportSummary: {
            /** @description A user's id. */
            author: string;
            /** @default 0 */
            created: number;
            /**
             * @description Rows seen to so far.
             * @default 0
             */
            done: number;
            /**
             * @description Rows left out because there is such a lead already.
             * @default 0
             */
            duplicates: number;
            /**
             * @description Rows that are no valid lead.
             * @default 0
             */
            failed: number;
            id: string;
            /** @description What its author called it: the file's name. */
            name: string;
            /**
             * @description How it ended; none while it runs.
             * @default null
             */
            outcome: ("done" | "cancelled" | "failed") | null;
            rows: number;
            /**
             * @description Rows that changed a lead that is there already.
             * @default 0
             */
            updated: number;
            version: number;
        };
        /** @description What every push on `private-user.<id>` says of the inbox after it; the highest `revision` counts. */
        InboxState: {
            /** @description Dense from 1: each change of the inbox is one, and one push. */
            revision: number;
            unread: number;
        };
        /** @description A change of many leads came to its end. */
        JobFinished: {
            job: components["schemas"]["JobSummary"];
        };
        /** @description A change of many leads is under way; at most about once a second. */
        JobProgressed: {
            job: components["schemas"]["JobSummary"];
        };
        /** @description The data of `job.progress` on `private-company.<id>`. */
        JobProgressPush: {
            /** @default null */
            actor: string | null;
            /**
             * @description The log's epoch.
             * @default null
             */
            epoch: string | null;
            event_id: string;
            position: number;
            /** @enum {string} */
            state: "started" | "running" | "finished";
        } & components["schemas"]["JobSummary"];
        /**
         * @description The data of `leads.changed` on `private-company.<id>`: leads have changed, fetch them again.
         *
         *     A bulk job changes them, or, with `reset`, what was heard before does not hold: forget the positions of the page and
         *     load everything again.
         */
        JobPush: {
            /** @description The facts of the job so far; 0 with `reset`. */
            count: number;
            /**
             * @description The log's epoch.
             * @default null
             */
            epoch: string | null;
            /** @description None with `reset`. */
            job_id: string | null;
            /** @description The feed position of the job's last fact so far; with `reset`, of the feed's last one. */
            position: number;
            /** @default null */
            reset: ("epoch" | "correction") | null;
        };
        /** @description Somebody changes many leads at once. */
        JobStarted: {
            job: components["schemas"]["JobSummary"];
        };
        /** @description A change of many leads, as it is after a fact. */
        JobSummary: {
            /** @description What it does to its leads: `edit`, `assign`, `status`, `tag`, `delete`, `undo`. */
            action: string;
            /** @description A user's id. */
            author: string;
            /** @default 0 */
            changed: number;
            /**
             * @description Leads seen to so far.
             * @default 0
             */
            done: number;
            id: string;
            /** @enum {string} */
            kind: "bulk" | "undo";
            /**
             * @description How it ended; none while it runs.
             * @default null
             */
            outcome: ("done" | "cancelled" | "failed") | null;
            /**
             * @description Leads that the rules left as they were.
             * @default 0
             */
            refused: number;
            /** @description Leads. */
            total: number;
            /**
             * @description The job or import that it takes back.
             * @default null
             */
            undoes: string | null;
            version: number;
        };
        /** @description A lead got another assignee, or none. */
        LeadAssigned: {
            changes: {
                [key: string]: components["schemas"]["Change"];
            };
            lead: components["schemas"]["LeadSummary"];
        };
        /** @description A lead became a contact and a deal; `lead` names both. */
        LeadConverted: {
            lead: components["schemas"]["LeadSummary"];
        };
        /** @description Somebody entered a lead. */
        LeadCreated: {
            /**
             * @description The leads it duplicates, knowingly: its author was told of them.
             * @default []
             */
            duplicates: components["schemas"]["Duplicate"][];
            lead: components["schemas"]["LeadSummary"];
        };
        /** @description Somebody deleted a lead, or merged it into another; the summary is its last state. */
        LeadDeleted: {
            lead: components["schemas"]["LeadSummary"];
            /**
             * @description The lead that took it in.
             * @default null
             */
            merged_into: string | null;
        };
        /** @description A lead took in another one, whose own last fact is a `LeadDeleted` that names this lead. */
        LeadMerged: {
            changes: {
                [key: string]: components["schemas"]["Change"];
            };
            lead: components["schemas"]["LeadSummary"];
            /** @description The other lead as it was. */
            merged: components["schemas"]["LeadSummary"];
        };
        /** @description The author changed a message. */
        LeadMessageEdited: {
            /** @description The body until now. */
            before: string;
            lead: components["schemas"]["LeadSummary"];
            /**
             * @description Those whom only the new body mentions.
             * @default []
             */
            mentioned: string[];
            message: components["schemas"]["Message"];
        };
        /** @description Somebody wrote a message on a lead. */
        LeadMessagePosted: {
            lead: components["schemas"]["LeadSummary"];
            message: components["schemas"]["Message"];
            /**
             * @description Who follows the lead: its assignee, and everybody who wrote or was mentioned so far. User ids, each once.
             * @default []
             */
            participants: string[];
        };
        /** @description The data of `lead.created`, `lead.updated` and `lead.deleted`. */
        LeadPush: {
            /** @default null */
            actor: string | null;
            /**
             * @description Field → old and new value; only on `lead.updated`.
             * @default null
             */
            changed: {
                [key: string]: components["schemas"]["Change"];
            } | null;
            /**
             * @description The log's epoch. A screen whose page is of another one forgets its positions and loads everything again.
             * @default null
             */
            epoch: string | null;
            event_id: string;
            /**
             * @description On `lead.deleted`: the lead that took it in.
             * @default null
             */
            merged_into: string | null;
            /** @description The company's feed position; a screen ignores what its page already reflects. */
            position: number;
            /**
             * @description On `lead.created`: somebody took the deletion back.
             * @default false
             */
            restored: boolean;
        } & components["schemas"]["LeadSummary"];
        /** @description Somebody took a deletion back. */
        LeadRestored: {
            lead: components["schemas"]["LeadSummary"];
        };
        /** @description A lead moved to another stage of the pipeline. */
        LeadStatusChanged: {
            changes: {
                [key: string]: components["schemas"]["Change"];
            };
            lead: components["schemas"]["LeadSummary"];
        };
        /** @description What a list row shows of one lead, as it is after a fact. */
        LeadSummary: {
            /**
             * @description The id of the user who works on it.
             * @default null
             */
            assigned_to: string | null;
            /**
             * @description The contact it was converted to.
             * @default null
             */
            contact_id: string | null;
            /** @default null */
            converted_at: string | null;
            /** Format: date-time */
            created_at: string;
            /**
             * @description ISO 4217; there whenever `value` is.
             * @default null
             */
            currency: string | null;
            /** @description The company's own fields by key; only those that have a value. */
            custom?: {
                [key: string]: string | number | boolean | string[] | null;
            };
            /**
             * @description The deal it was converted to.
             * @default null
             */
            deal_id: string | null;
            /**
             * @description Lower case.
             * @default null
             */
            email: string | null;
            id: string;
            /**
             * @description Why it is lost; none while it is not.
             * @default null
             */
            lost_reason: string | null;
            /**
             * @description How many messages its chat has.
             * @default 0
             */
            messages: number;
            name: string;
            /** @default null */
            organisation: string | null;
            /**
             * @description E.164, such as `+5511987654321`.
             * @default null
             */
            phone: string | null;
            /**
             * @description 0 to 100.
             * @default null
             */
            score: number | null;
            /**
             * @description The key of one of the company's sources.
             * @default null
             */
            source: string | null;
            /** @description The key of a stage of the company's pipeline. */
            status: string;
            /** @default null */
            status_since: string | null;
            /**
             * @description Lower case, sorted, each once.
             * @default []
             */
            tags: string[];
            /**
             * @description The person's position in the organisation.
             * @default null
             */
            title: string | null;
            /** Format: date-time */
            updated_at: string;
            /**
             * @description What it may bring, as decimal text with two places: `1500.00`.
             * @default null
             */
            value: string | null;
            /** @description The lead's stream version: 1 for its first fact, then dense. */
            version: number;
        };
        /** @description A lead got or lost tags. */
        LeadTagged: {
            /**
             * @description Sorted, each once.
             * @default []
             */
            added: string[];
            lead: components["schemas"]["LeadSummary"];
            /** @default [] */
            removed: string[];
        };
        /** @description Somebody changed what is known of a lead (neither its status, its assignee nor its tags). */
        LeadUpdated: {
            changes: {
                [key: string]: components["schemas"]["Change"];
            };
            lead: components["schemas"]["LeadSummary"];
        };
        /** @description One message of the chat on a lead. */
        Message: {
            /** @description A user's id. */
            author: string;
            body: string;
            /** @default null */
            edited_at: string | null;
            id: string;
            /**
             * @description The ids of the users it mentions.
             * @default []
             */
            mentions: string[];
            /** Format: date-time */
            posted_at: string;
        };
        /** @description The data of `message.posted` and `message.edited` on `presence-lead.<id>`. */
        MessagePush: {
            /** @default null */
            actor: string | null;
            /**
             * @description The log's epoch.
             * @default null
             */
            epoch: string | null;
            event_id: string;
            lead_id: string;
            position: number;
        } & components["schemas"]["Message"];
        /** @description What one user is told of one fact, as the inbox keeps it. */
        Notification: {
            /**
             * @description The id of the user who did it.
             * @default null
             */
            actor: string | null;
            /**
             * Format: date-time
             * @description When it happened.
             */
            at: string;
            critical: boolean;
            /** @description By kind: `status_changed`: `old`, `new`; `mentioned` and `message`: `message_id`, `excerpt`; `duplicate_found`: `duplicate_of`; `import_finished`: `import_id`, `name`, `rows`, `created`, `duplicates`, `failed`. */
            details?: {
                [key: string]: unknown;
            };
            /**
             * @description The log's epoch then.
             * @default null
             */
            epoch: string | null;
            event_id: string;
            /** @description Derived from the fact, the recipient and the kind. */
            id: string;
            /**
             * @description The bulk job: the one notification stands for all of its facts.
             * @default null
             */
            job_id: string | null;
            /** @enum {string} */
            kind: "assigned" | "unassigned" | "status_changed" | "mentioned" | "message" | "import_finished" | "duplicate_found";
            /** @default null */
            lead: components["schemas"]["NotifiedLead"] | null;
            /** @description The feed position of the fact. */
            position: number;
        };
        /** @description The data of `notification.created` on `private-user.<id>`. */
        NotificationPush: {
            /** @description Dense from 1 in the inbox. */
            number: number;
        } & (components["schemas"]["Notification"] & components["schemas"]["InboxState"]);
        /** @description The lead that a notification is about. */
        NotifiedLead: {
            id: string;
            /** @description As it was then. */
            name: string;
        };
        /** @description The stages that a company's leads go through. */
        Pipeline: {
            /** @description In order; a new lead starts in the first. */
            stages: components["schemas"]["Stage"][];
            /** @description Dense from 1. */
            version: number;
        };
        /** @description A company has another pipeline from now on. Its stream's id is the company's. */
        PipelineChanged: {
            pipeline: components["schemas"]["Pipeline"];
        };
        /** @description The data of `notification.read` on `private-user.<id>`: of the ids, or of all numbers below `all_before`. */
        ReadPush: {
            /** @default null */
            all_before: number | null;
            /** @default [] */
            ids: string[];
            /**
             * @description False when they were marked as unread again.
             * @default true
             */
            read: boolean;
        } & components["schemas"]["InboxState"];
        /** @description One stage of a pipeline. */
        Stage: {
            /** @description What leads name as their status. */
            key: string;
            /**
             * @default open
             * @enum {string}
             */
            kind: "open" | "won" | "lost";
            name: string;
            /**
             * @description The stages to which a lead may move from here; None for any.
             * @default null
             */
            next: string[] | null;
            /**
             * @description Whether a lead needs a lost reason to get here; only for stages of the kind `lost`.
             * @default false
             */
            reason_required: boolean;
        };
        /** @description A company's figures, as `GET /stats` and `stats.updated` give them. */
        Stats: {
            /** @description User id → leads; unassigned leads are not counted here. */
            by_assignee: {
                [key: string]: number;
            };
            /** @description Source → leads; leads without a source are not counted here. */
            by_source: {
                [key: string]: number;
            };
            by_status: {
                [key: string]: number;
            };
            /** @description Won leads divided by all leads, 0 to 1; 0 without leads. */
            conversion: number;
            /**
             * @description The stages in their order.
             * @default []
             */
            funnel: components["schemas"]["FunnelStage"][];
            /**
             * @description Leads in stages of that kind.
             * @default 0
             */
            lost: number;
            /**
             * @description Created in the calendar month before the current one, UTC.
             * @default 0
             */
            new_last_month: number;
            /** @description The last 30 days, UTC, oldest first: `2026-11-23` → leads created on it that are still there. */
            new_per_day?: {
                [key: string]: number;
            };
            /** @description Created in the current calendar month, UTC. */
            new_this_month: number;
            total: number;
            /**
             * @description Leads in stages of that kind.
             * @default 0
             */
            won: number;
        };
        /** @description The data of `stats.updated` on `private-cache-company.<id>.stats`. */
        StatsPush: {
            /**
             * @description The log's epoch.
             * @default null
             */
            epoch: string | null;
            /** @description The feed position that the figures reflect. */
            position: number;
        } & components["schemas"]["Stats"];
        /** @description Somebody may log in from now on. */
        UserAdded: {
            user: components["schemas"]["UserSummary"];
        };
        /** @description A user got another name, e-mail address or role. */
        UserChanged: {
            changes: {
                [key: string]: components["schemas"]["Change"];
            };
            user: components["schemas"]["UserSummary"];
        };
        /** @description A user may not log in any more; tokens and sockets end. */
        UserDeactivated: {
            user: components["schemas"]["UserSummary"];
        };
        /** @description A user may log in again. */
        UserReactivated: {
            user: components["schemas"]["UserSummary"];
        };
        /** @description A user has to log in anew, everywhere: they logged out, or have another password. Tokens and sockets end. */
        UserSignedOut: {
            user: components["schemas"]["UserSummary"];
        };
        /** @description A user as they are after a fact. */
        UserSummary: {
            /**
             * @description Whether they may log in.
             * @default true
             */
            active: boolean;
            email: string;
            id: string;
            name: string;
            /** @enum {string} */
            role: "viewer" | "agent" | "manager" | "admin";
            version: number;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
};
export type Change = components['schemas']['Change'];
export type Duplicate = components['schemas']['Duplicate'];
export type Envelope = components['schemas']['Envelope'];
export type FunnelStage = components['schemas']['FunnelStage'];
export type ImportFinished = components['schemas']['ImportFinished'];
export type ImportProgressed = components['schemas']['ImportProgressed'];
export type ImportPush = components['schemas']['ImportPush'];
export type ImportReverted = components['schemas']['ImportReverted'];
export type ImportStarted = components['schemas']['ImportStarted'];
export type ImportSummary = components['schemas']['ImportSummary'];
export type InboxState = components['schemas']['InboxState'];
export type JobFinished = components['schemas']['JobFinished'];
export type JobProgressed = components['schemas']['JobProgressed'];
export type JobProgressPush = components['schemas']['JobProgressPush'];
export type JobPush = components['schemas']['JobPush'];
export type JobStarted = components['schemas']['JobStarted'];
export type JobSummary = components['schemas']['JobSummary'];
export type LeadAssigned = components['schemas']['LeadAssigned'];
export type LeadConverted = components['schemas']['LeadConverted'];
export type LeadCreated = components['schemas']['LeadCreated'];
export type LeadDeleted = components['schemas']['LeadDeleted'];
export type LeadMerged = components['schemas']['LeadMerged'];
export type LeadMessageEdited = components['schemas']['LeadMessageEdited'];
export type LeadMessagePosted = components['schemas']['LeadMessagePosted'];
export type LeadPush = components['schemas']['LeadPush'];
export type LeadRestored = components['schemas']['LeadRestored'];
export type LeadStatusChanged = components['schemas']['LeadStatusChanged'];
export type LeadSummary = components['schemas']['LeadSummary'];
export type LeadTagged = components['schemas']['LeadTagged'];
export type LeadUpdated = components['schemas']['LeadUpdated'];
export type Message = components['schemas']['Message'];
export type MessagePush = components['schemas']['MessagePush'];
export type Notification = components['schemas']['Notification'];
export type NotificationPush = components['schemas']['NotificationPush'];
export type NotifiedLead = components['schemas']['NotifiedLead'];
export type Pipeline = components['schemas']['Pipeline'];
export type PipelineChanged = components['schemas']['PipelineChanged'];
export type ReadPush = components['schemas']['ReadPush'];
export type Stage = components['schemas']['Stage'];
export type Stats = components['schemas']['Stats'];
export type StatsPush = components['schemas']['StatsPush'];
export type UserAdded = components['schemas']['UserAdded'];
export type UserChanged = components['schemas']['UserChanged'];
export type UserDeactivated = components['schemas']['UserDeactivated'];
export type UserReactivated = components['schemas']['UserReactivated'];
export type UserSignedOut = components['schemas']['UserSignedOut'];
export type UserSummary = components['schemas']['UserSummary'];
