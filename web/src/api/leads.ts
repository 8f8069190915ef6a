/** Written by ./types, from what the services say of themselves. */

export type components = {
    schemas: {
        /** @description A user as they see themselves. */
        Account: {
            company_id: string;
            company_name: string;
            email: string;
            id: string;
            name: string;
            role: string;
        };
        /** @description Whom the access token stands for. */
        AccountAnswer: {
            data: components["schemas"]["Account"];
            meta: components["schemas"]["Meta"];
        };
        /** @description Who did something. */
        Actor: {
            id: string;
            name: string | null;
        };
        /** @description Another assignee. */
        AssignChange: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            action: "assign";
            assigned_to: string | "round_robin" | null;
        };
        /** @description Who is to have a lead. */
        Assignment: {
            assigned_to: string | "round_robin" | null;
        };
        /** @description Which leads, and what to do with them. */
        BulkBody: {
            change: components["schemas"]["EditChange"] | components["schemas"]["AssignChange"] | components["schemas"]["leads__api__jobs__StatusChange"] | components["schemas"]["leads__api__jobs__TagChange"] | components["schemas"]["DeleteChange"];
            leads: components["schemas"]["ByIds"] | components["schemas"]["ByFilter"];
        };
        /** @description All leads that a list would show when the job begins, unless they are many more than the user was shown. */
        ByFilter: {
            /** @default false */
            all: boolean;
            expected_count: number | null;
            filter: {
                [key: string]: string | string[];
            };
        };
        /** @description Leads by their ids. */
        ByIds: {
            ids: string[];
        };
        /** @description What a fact came from. */
        Cause: {
            command_id: string | null;
            correlation_id: string | null;
        };
        /** @description One field's value before and after. */
        Change: {
            new: string | number | boolean | string[] | null;
            old: string | number | boolean | string[] | null;
        };
        /** @description What pusher-js forwards to the gateway. */
        ChannelAuth: {
            auth: string;
            channel_data: string | null;
        };
        /** @description The caller's company. */
        CompanyAnswer: {
            data: components["schemas"]["CompanyShown"];
            meta: components["schemas"]["Meta"];
        };
        /** @description New values of the fields that are to change; null clears a region or currency. */
        CompanyPatchBody: {
            currency?: string | null;
            name?: string;
            region?: string | null;
        };
        /** @description A company, as its users see it. */
        CompanyShown: {
            currency: string | null;
            id: string;
            name: string;
            region: string | null;
        };
        /** @description What a lead is to become; all of it may be left out. */
        ConversionBody: {
            contact_id?: string | null;
            deal_id?: string | null;
            status?: string | null;
        };
        /** @description The number of leads that a list would show. */
        CountAnswer: {
            data: components["schemas"]["LeadCount"];
            meta: components["schemas"]["Meta"];
        };
        /** @description Who wants to log in. */
        Credentials: {
            company?: string | null;
            device_token?: string | null;
            email: string;
            password: string;
        };
        /** @description What holds where a row has nothing. */
        Defaults: {
            assigned_to?: string | null;
            source?: string | null;
            status?: string | null;
            tags?: string[];
        };
        /** @description The leads are to go. */
        DeleteChange: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            action: "delete";
        };
        /** @description A lead that is gone, as it was last. */
        DeletedLead: {
            /** Format: date-time */
            deleted_at: string;
            deleted_by: string | null;
            lead: components["schemas"]["LeadSummary"];
            merged_into: string | null;
        };
        /** @description Deleted leads, the last one deleted first. */
        DeletedLeadPage: {
            data: components["schemas"]["DeletedLead"][];
            links: components["schemas"]["Links"];
            meta: components["schemas"]["Meta"];
        };
        /** @description What differs. */
        DiffAnswer: {
            data: components["schemas"]["LeadDiff"];
            meta: components["schemas"]["Meta"];
        };
        /** @description Other values for what is known of the leads. */
        EditChange: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            action: "edit";
            fields: components["schemas"]["Fields"];
        };
        /** @description One fact of the company's feed, with the lead as it was after it; no lead when it is about something else. */
        FeedEntry: {
            actor: string | null;
            changes: {
                [key: string]: components["schemas"]["Change"];
            };
            data: {
                [key: string]: unknown;
            };
            event_id: string;
            lead: components["schemas"]["LeadSummary"] | null;
            /** Format: date-time */
            occurred_at: string;
            position: number;
            subject: string;
            type: string;
        };
        /** @description Facts in feed order. */
        FeedPage: {
            data: components["schemas"]["FeedEntry"][];
            links: components["schemas"]["Links"];
            meta: components["schemas"]["Meta"];
        };
        /** @description One custom field. */
        FieldAnswer: {
            data: components["schemas"]["FieldShown"];
            meta: components["schemas"]["Meta"];
        };
        /** @description What is wrong with one field. */
        FieldError: {
            field: string | null;
            message: string;
            pointer: string | null;
        };
        /** @description New values of what is to change; key and kind never do. */
        FieldPatchBody: {
            /** @default true */
            active: boolean;
            choices?: string[];
            label?: string;
            /** @default 0 */
            position: number;
            /** @default false */
            required: boolean;
        };
        /** @description New values of the fields that are to change; null clears one. */
        Fields: {
            currency?: string | null;
            custom?: {
                [key: string]: boolean | number | string | string[] | null;
            };
            organisation?: string | null;
            score?: number | null;
            source?: string | null;
            title?: string | null;
            value?: number | string | null;
        };
        /** @description A field that the company's leads have besides those of every lead. */
        FieldShown: {
            active: boolean;
            choices: string[];
            key: string;
            /** @enum {string} */
            kind: "text" | "number" | "boolean" | "date" | "choice" | "choices" | "url";
            label: string;
            position: number;
            required: boolean;
        };
        /** @description The company's custom fields. */
        FieldsPage: {
            data: components["schemas"]["FieldShown"][];
            links: components["schemas"]["Links"];
            meta: components["schemas"]["Meta"];
        };
        /** @description What became of a company's leads in one stage of its pipeline. */
        FunnelStage: {
            entered: number;
            median_seconds: number | null;
            rate: number | null;
            stage: string;
        };
        /** @description One fact of a lead's history, or of the history of a lead that was merged into it. */
        HistoryEntry: {
            actor: components["schemas"]["Actor"] | null;
            caused_by: components["schemas"]["Cause"];
            changes: {
                [key: string]: components["schemas"]["Change"];
            };
            details: {
                [key: string]: unknown;
            };
            lead_id: string;
            /** Format: date-time */
            occurred_at: string;
            position: number;
            type: string;
            version: number;
        };
        /** @description Facts, oldest first. */
        HistoryPage: {
            data: components["schemas"]["HistoryEntry"][];
            links: components["schemas"]["Links"];
            meta: components["schemas"]["Meta"];
        };
        /** @description One import. */
        ImportAnswer: {
            data: components["schemas"]["ShownImport"];
            meta: components["schemas"]["Meta"];
        };
        /** @description Imports, the newest first. */
        ImportPage: {
            data: components["schemas"]["ShownImport"][];
            links: components["schemas"]["Links"];
            meta: components["schemas"]["Meta"];
        };
        /** @description One job. */
        JobAnswer: {
            data: components["schemas"]["ShownJob"];
            meta: components["schemas"]["Meta"];
        };
        /** @description Jobs, the newest first. */
        JobPage: {
            data: components["schemas"]["ShownJob"][];
            links: components["schemas"]["Links"];
            meta: components["schemas"]["Meta"];
        };
        /** @description One lead. */
        LeadAnswer: {
            data: components["schemas"]["LeadSummary"];
            meta: components["schemas"]["Meta"];
        };
        /** @description How many leads there are. */
        LeadCount: {
            count: number;
            exact: boolean;
        };
        /** @description A lead at two moments. */
        LeadDiff: {
            after: components["schemas"]["LeadMoment"];
            before: components["schemas"]["LeadMoment"];
            changes: {
                [key: string]: components["schemas"]["Change"];
            };
        };
        /** @description A version of a lead. */
        LeadMoment: {
            /** Format: date-time */
            updated_at: string;
            version: number;
        };
        /** @description Leads, in the order asked for. */
        LeadPage: {
            data: components["schemas"]["ListedLead"][];
            links: components["schemas"]["Links"];
            meta: components["schemas"]["Meta"];
        };
        /** @description New values of the fields that are to change; null clears one. */
        LeadPatchBody: {
            /** @default false */
            allow_duplicate: boolean;
            assigned_to?: string | null;
            currency?: string | null;
            custom?: {
                [key: string]: boolean | number | string | string[] | null;
            };
            email?: string | null;
            lost_reason?: string | null;
            name?: string;
            organisation?: string | null;
            phone?: string | null;
            score?: number | null;
            source?: string | null;
            status?: string;
            tags?: string[];
            title?: string | null;
            value?: number | string | null;
        };
        /** @description Another stage. */
        leads__api__jobs__StatusChange: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            action: "status";
            lost_reason?: string | null;
            status: string;
        };
        /** @description Tags to add and to take away. */
        leads__api__jobs__TagChange: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            action: "tag";
            add?: string[];
            remove?: string[];
        };
        /** @description A user as colleagues see them. */
        leads__api__read_answers__Person: {
            id: string;
            name: string;
            role: string;
        };
        /** @description The stage that a lead is to be in. */
        leads__api__stages__StatusChange: {
            lost_reason?: string | null;
            status: string;
        };
        /** @description Tags that a lead is to get or to lose. */
        leads__api__tagging__TagChange: {
            add?: string[];
            remove?: string[];
        };
        /** @description A user of the company. */
        leads__api__users__Person: {
            active: boolean;
            email: string | null;
            id: string;
            name: string;
            /** @enum {string} */
            role: "viewer" | "agent" | "manager" | "admin";
            version: number;
        };
        /** @description What a list row shows of one lead, as it is after a fact. */
        LeadSummary: {
            assigned_to: string | null;
            contact_id: string | null;
            converted_at: string | null;
            /** Format: date-time */
            created_at: string;
            currency: string | null;
            custom: {
                [key: string]: string | number | boolean | string[] | null;
            };
            deal_id: string | null;
            email: string | null;
            id: string;
            lost_reason: string | null;
            /** @default 0 */
            messages: number;
            name: string;
            organisation: string | null;
            phone: string | null;
            score: number | null;
            source: string | null;
            status: string;
            status_since: string | null;
            /** @default [] */
            tags: string[];
            title: string | null;
            /** Format: date-time */
            updated_at: string;
            value: string | null;
            version: number;
        };
        /** @description Where to go on. */
        Links: {
            next: string | null;
        };
        /** @description A lead, with what `include` asked for. */
        ListedLead: {
            assigned_to: string | null;
            assigned_user: components["schemas"]["leads__api__read_answers__Person"] | null;
            contact_id: string | null;
            converted_at: string | null;
            /** Format: date-time */
            created_at: string;
            currency: string | null;
            custom: {
                [key: string]: string | number | boolean | string[] | null;
            };
            deal_id: string | null;
            email: string | null;
            id: string;
            lost_reason: string | null;
            /** @default 0 */
            messages: number;
            name: string;
            organisation: string | null;
            phone: string | null;
            score: number | null;
            source: string | null;
            source_details: components["schemas"]["SourceDetails"] | null;
            status: string;
            status_since: string | null;
            /** @default [] */
            tags: string[];
            title: string | null;
            /** Format: date-time */
            updated_at: string;
            value: string | null;
            version: number;
        };
        /** @description One lead. */
        ListedLeadAnswer: {
            data: components["schemas"]["ListedLead"];
            meta: components["schemas"]["Meta"];
        };
        /** @description An access token and whom it is for. */
        Login: {
            access_token: string;
            device_token: string;
            expires_in: number;
            /**
             * @default Bearer
             * @constant
             */
            token_type: "Bearer";
            user: components["schemas"]["Account"];
        };
        /** @description What a column may be. */
        MappableField: {
            field: string;
            label: string;
            required: boolean;
        };
        /** @description What the columns are, and what becomes of rows that are there already. */
        MappingBody: {
            defaults?: components["schemas"]["Defaults"];
            /**
             * @default skip
             * @enum {string}
             */
            duplicates: "skip" | "update" | "create";
            mapping: (string | null)[];
        };
        /** @description The lead to take in, and which values to keep. */
        Merge: {
            /** @default false */
            allow_duplicate: boolean;
            choose?: {
                [key: string]: "survivor" | "other";
            };
            /** Format: uuid */
            other: string;
            other_version?: number | null;
        };
        /** @description The lead that took in the other one; on a dry run, as it would be. */
        MergeAnswer: {
            changes: {
                [key: string]: components["schemas"]["Change"];
            } | null;
            data: components["schemas"]["LeadSummary"];
            dry_run: boolean;
            meta: components["schemas"]["Meta"];
        };
        /** @description One message of the chat on a lead. */
        Message: {
            author: string;
            body: string;
            edited_at: string | null;
            id: string;
            /** @default [] */
            mentions: string[];
            /** Format: date-time */
            posted_at: string;
        };
        /** @description One message. The answer's ETag is the lead's. */
        MessageAnswer: {
            data: components["schemas"]["Message"];
            meta: components["schemas"]["Meta"];
        };
        /** @description What a message is to say instead. */
        MessageEdit: {
            body: string;
            mentions?: string[] | null;
        };
        /** @description Messages, oldest first. */
        MessagePage: {
            data: components["schemas"]["Message"][];
            links: components["schemas"]["Links"];
            meta: components["schemas"]["Meta"];
        };
        /** @description Beside every answer. */
        Meta: {
            epoch: string | null;
            position: number;
        };
        /** @description A custom field to add. */
        NewFieldBody: {
            /** @default true */
            active: boolean;
            choices?: string[];
            key: string;
            /** @enum {string} */
            kind: "text" | "number" | "boolean" | "date" | "choice" | "choices" | "url";
            label: string;
            /** @default 0 */
            position: number;
            /** @default false */
            required: boolean;
        };
        /** @description A lead to create; only its name is needed. */
        NewLeadBody: {
            /** @default false */
            allow_duplicate: boolean;
            assigned_to?: string | null;
            currency?: string | null;
            custom?: {
                [key: string]: boolean | number | string | string[] | null;
            };
            email?: string | null;
            lost_reason?: string | null;
            name: string;
            organisation?: string | null;
            phone?: string | null;
            score?: number | null;
            source?: string | null;
            status?: string;
            tags?: string[];
            title?: string | null;
            value?: number | string | null;
        };
        /** @description A message to post. */
        NewMessage: {
            body: string;
            mentions?: string[];
        };
        /** @description A source to add. */
        NewSourceBody: {
            /** @default true */
            active: boolean;
            key: string;
            name: string;
        };
        /** @description Somebody who shall be able to log in. */
        NewUserBody: {
            email: string;
            name: string;
            password: string;
            /** @enum {string} */
            role: "viewer" | "agent" | "manager" | "admin";
        };
        /** @description A list of leads to keep; only managers share. */
        NewViewBody: {
            name: string;
            query: {
                [key: string]: string | string[];
            };
            /** @default false */
            shared: boolean;
        };
        /** @description One's own new password. */
        PasswordBody: {
            current_password: string;
            new_password: string;
        };
        /** @description The company's users. */
        PeoplePage: {
            data: components["schemas"]["leads__api__users__Person"][];
            links: components["schemas"]["Links"];
            meta: components["schemas"]["Meta"];
        };
        /** @description One user. */
        PersonAnswer: {
            data: components["schemas"]["leads__api__users__Person"];
            meta: components["schemas"]["Meta"];
        };
        /** @description The stages that a company's leads go through. */
        Pipeline: {
            stages: components["schemas"]["Stage"][];
            version: number;
        };
        /** @description The company's pipeline. */
        PipelineAnswer: {
            data: components["schemas"]["Pipeline"];
            meta: components["schemas"]["Meta"];
        };
        /** @description A whole pipeline, in order. */
        PipelineBody: {
            stages: components["schemas"]["StageBody"][];
        };
        /** @description A row, and what it would become. */
        PreviewRow: {
            cells: string[];
            errors: components["schemas"]["RowProblem"][];
            lead: {
                [key: string]: unknown;
            } | null;
            row: number;
        };
        /** @description The body of every error. */
        ProblemDetails: {
            code: string;
            correlation_id: string | null;
            detail: string;
            errors: components["schemas"]["FieldError"][] | null;
            status: number;
            title: string;
            type: string;
        };
        /** @description What was refused, in the order of the job. */
        RefusalPage: {
            data: components["schemas"]["ShownRefusal"][];
            links: components["schemas"]["Links"];
            meta: components["schemas"]["Meta"];
        };
        /** @description How to take a deletion back. */
        Restoration: {
            /** @default false */
            allow_duplicate: boolean;
        };
        /** @description A role, and the operations (`operationId`) that it may do. */
        RoleDescription: {
            operations: string[];
            /** @enum {string} */
            role: "viewer" | "agent" | "manager" | "admin";
        };
        /** @description The roles, each of which may do what those before it may. */
        RolesPage: {
            data: components["schemas"]["RoleDescription"][];
            links: components["schemas"]["Links"];
            meta: components["schemas"]["Meta"];
        };
        /** @description What is wrong with a row. */
        RowProblem: {
            code: string;
            column: number | null;
            field: string | null;
            message: string;
        };
        /** @description A list of leads under a name. */
        SavedView: {
            /** Format: date-time */
            created_at: string;
            id: string;
            name: string;
            owner: string;
            query: {
                [key: string]: string | string[];
            };
            /** @default false */
            shared: boolean;
            /** Format: date-time */
            updated_at: string;
        };
        /** @description A file of leads, and how far it is. */
        ShownImport: {
            author: string;
            bytes: number;
            columns: string[];
            created: number;
            /** Format: date-time */
            created_at: string;
            defaults: {
                [key: string]: unknown;
            };
            delimiter: string;
            done: number;
            duplicated: number;
            /** @enum {string} */
            duplicates: "skip" | "update" | "create";
            encoding: string;
            error: string | null;
            failed: number;
            /** @default [] */
            fields: components["schemas"]["MappableField"][];
            finished_at: string | null;
            header: boolean;
            id: string;
            mapping: (string | null)[];
            name: string;
            /** @default [] */
            preview: components["schemas"]["PreviewRow"][];
            reason: string | null;
            reverted_by: string | null;
            rows: number;
            started_at: string | null;
            /** @enum {string} */
            state: "uploaded" | "queued" | "running" | "done" | "cancelled" | "failed" | "reverting" | "reverted";
            updated: number;
        };
        /** @description A change of many leads, or an import, and how far it is. */
        ShownJob: {
            action: string;
            author: string;
            changed: number;
            /** Format: date-time */
            created_at: string;
            done: number;
            error: string | null;
            finished_at: string | null;
            id: string;
            /** @enum {string} */
            kind: "bulk" | "undo" | "import";
            reason: string | null;
            refused: {
                [key: string]: number;
            };
            started_at: string | null;
            /** @enum {string} */
            state: "queued" | "running" | "done" | "cancelled" | "failed";
            total: number | null;
            unchanged: number;
            undoes: string | null;
            undone_by: string | null;
        };
        /** @description What was refused of a job. */
        ShownRefusal: {
            code: string;
            errors: {
                [key: string]: unknown;
            }[];
            item: number;
            lead_id: string | null;
        };
        /** @description One source. */
        SourceAnswer: {
            data: components["schemas"]["SourceShown"];
            meta: components["schemas"]["Meta"];
        };
        /** @description A source as people call it. */
        SourceDetails: {
            key: string;
            name: string;
        };
        /** @description New values of the fields that are to change. */
        SourcePatchBody: {
            /** @default true */
            active: boolean;
            name?: string;
        };
        /** @description Where leads come from. */
        SourceShown: {
            active: boolean;
            key: string;
            name: string;
        };
        /** @description The company's sources, by key. */
        SourcesPage: {
            data: components["schemas"]["SourceShown"][];
            links: components["schemas"]["Links"];
            meta: components["schemas"]["Meta"];
        };
        /** @description One stage of a pipeline. */
        Stage: {
            key: string;
            /**
             * @default open
             * @enum {string}
             */
            kind: "open" | "won" | "lost";
            name: string;
            next: string[] | null;
            /** @default false */
            reason_required: boolean;
        };
        /** @description One stage. */
        StageBody: {
            key: string;
            /**
             * @default open
             * @enum {string}
             */
            kind: "open" | "won" | "lost";
            name: string;
            next?: string[] | null;
            /** @default false */
            reason_required: boolean;
        };
        /** @description A company's figures, as `GET /stats` and `stats.updated` give them. */
        Stats: {
            by_assignee: {
                [key: string]: number;
            };
            by_source: {
                [key: string]: number;
            };
            by_status: {
                [key: string]: number;
            };
            conversion: number;
            /** @default [] */
            funnel: components["schemas"]["FunnelStage"][];
            /** @default 0 */
            lost: number;
            /** @default 0 */
            new_last_month: number;
            new_per_day: {
                [key: string]: number;
            };
            new_this_month: number;
            total: number;
            /** @default 0 */
            won: number;
        };
        /** @description A company's figures. */
        StatsAnswer: {
            data: components["schemas"]["Stats"];
            meta: components["schemas"]["Meta"];
        };
        /** @description New values of the fields that are to change. */
        UserPatchBody: {
            email?: string;
            name?: string;
            password?: string;
            /** @enum {string} */
            role?: "viewer" | "agent" | "manager" | "admin";
        };
        /** @description One saved view. */
        ViewAnswer: {
            data: components["schemas"]["SavedView"];
            meta: components["schemas"]["Meta"];
        };
        /** @description New values of the fields that are to change. */
        ViewPatchBody: {
            name?: string;
            query?: {
                [key: string]: string | string[];
            };
            /** @default false */
            shared: boolean;
        };
        /** @description Saved views, by name. */
        ViewsPage: {
            data: components["schemas"]["SavedView"][];
            links: components["schemas"]["Links"];
            meta: components["schemas"]["Meta"];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
};
export type Account = components['schemas']['Account'];
export type AccountAnswer = components['schemas']['AccountAnswer'];
export type Actor = components['schemas']['Actor'];
export type AssignChange = components['schemas']['AssignChange'];
export type Assignment = components['schemas']['Assignment'];
export type BulkBody = components['schemas']['BulkBody'];
export type ByFilter = components['schemas']['ByFilter'];
export type ByIds = components['schemas']['ByIds'];
export type Cause = components['schemas']['Cause'];
export type Change = components['schemas']['Change'];
export type ChannelAuth = components['schemas']['ChannelAuth'];
export type CompanyAnswer = components['schemas']['CompanyAnswer'];
export type CompanyPatchBody = components['schemas']['CompanyPatchBody'];
export type CompanyShown = components['schemas']['CompanyShown'];
export type ConversionBody = components['schemas']['ConversionBody'];
export type CountAnswer = components['schemas']['CountAnswer'];
export type Credentials = components['schemas']['Credentials'];
export type Defaults = components['schemas']['Defaults'];
export type DeleteChange = components['schemas']['DeleteChange'];
export type DeletedLead = components['schemas']['DeletedLead'];
export type DeletedLeadPage = components['schemas']['DeletedLeadPage'];
export type DiffAnswer = components['schemas']['DiffAnswer'];
export type EditChange = components['schemas']['EditChange'];
export type FeedEntry = components['schemas']['FeedEntry'];
export type FeedPage = components['schemas']['FeedPage'];
export type FieldAnswer = components['schemas']['FieldAnswer'];
export type FieldError = components['schemas']['FieldError'];
export type FieldPatchBody = components['schemas']['FieldPatchBody'];
export type Fields = components['schemas']['Fields'];
export type FieldShown = components['schemas']['FieldShown'];
export type FieldsPage = components['schemas']['FieldsPage'];
export type FunnelStage = components['schemas']['FunnelStage'];
export type HistoryEntry = components['schemas']['HistoryEntry'];
export type HistoryPage = components['schemas']['HistoryPage'];
export type ImportAnswer = components['schemas']['ImportAnswer'];
export type ImportPage = components['schemas']['ImportPage'];
export type JobAnswer = components['schemas']['JobAnswer'];
export type JobPage = components['schemas']['JobPage'];
export type LeadAnswer = components['schemas']['LeadAnswer'];
export type LeadCount = components['schemas']['LeadCount'];
export type LeadDiff = components['schemas']['LeadDiff'];
export type LeadMoment = components['schemas']['LeadMoment'];
export type LeadPage = components['schemas']['LeadPage'];
export type LeadPatchBody = components['schemas']['LeadPatchBody'];
export type LeadsApiJobsStatusChange = components['schemas']['leads__api__jobs__StatusChange'];
export type LeadsApiJobsTagChange = components['schemas']['leads__api__jobs__TagChange'];
export type LeadsApiReadAnswersPerson = components['schemas']['leads__api__read_answers__Person'];
export type LeadsApiStagesStatusChange = components['schemas']['leads__api__stages__StatusChange'];
export type LeadsApiTaggingTagChange = components['schemas']['leads__api__tagging__TagChange'];
export type LeadsApiUsersPerson = components['schemas']['leads__api__users__Person'];
export type LeadSummary = components['schemas']['LeadSummary'];
export type Links = components['schemas']['Links'];
export type ListedLead = components['schemas']['ListedLead'];
export type ListedLeadAnswer = components['schemas']['ListedLeadAnswer'];
export type Login = components['schemas']['Login'];
export type MappableField = components['schemas']['MappableField'];
export type MappingBody = components['schemas']['MappingBody'];
export type Merge = components['schemas']['Merge'];
export type MergeAnswer = components['schemas']['MergeAnswer'];
export type Message = components['schemas']['Message'];
export type MessageAnswer = components['schemas']['MessageAnswer'];
export type MessageEdit = components['schemas']['MessageEdit'];
export type MessagePage = components['schemas']['MessagePage'];
export type Meta = components['schemas']['Meta'];
export type NewFieldBody = components['schemas']['NewFieldBody'];
export type NewLeadBody = components['schemas']['NewLeadBody'];
export type NewMessage = components['schemas']['NewMessage'];
export type NewSourceBody = components['schemas']['NewSourceBody'];
export type NewUserBody = components['schemas']['NewUserBody'];
export type NewViewBody = components['schemas']['NewViewBody'];
export type PasswordBody = components['schemas']['PasswordBody'];
export type PeoplePage = components['schemas']['PeoplePage'];
export type PersonAnswer = components['schemas']['PersonAnswer'];
export type Pipeline = components['schemas']['Pipeline'];
export type PipelineAnswer = components['schemas']['PipelineAnswer'];
export type PipelineBody = components['schemas']['PipelineBody'];
export type PreviewRow = components['schemas']['PreviewRow'];
export type ProblemDetails = components['schemas']['ProblemDetails'];
export type RefusalPage = components['schemas']['RefusalPage'];
export type Restoration = components['schemas']['Restoration'];
export type RoleDescription = components['schemas']['RoleDescription'];
export type RolesPage = components['schemas']['RolesPage'];
export type RowProblem = components['schemas']['RowProblem'];
export type SavedView = components['schemas']['SavedView'];
export type ShownImport = components['schemas']['ShownImport'];
export type ShownJob = components['schemas']['ShownJob'];
export type ShownRefusal = components['schemas']['ShownRefusal'];
export type SourceAnswer = components['schemas']['SourceAnswer'];
export type SourceDetails = components['schemas']['SourceDetails'];
export type SourcePatchBody = components['schemas']['SourcePatchBody'];
export type SourceShown = components['schemas']['SourceShown'];
export type SourcesPage = components['schemas']['SourcesPage'];
export type Stage = components['schemas']['Stage'];
export type StageBody = components['schemas']['StageBody'];
export type Stats = components['schemas']['Stats'];
export type StatsAnswer = components['schemas']['StatsAnswer'];
export type UserPatchBody = components['schemas']['UserPatchBody'];
export type ViewAnswer = components['schemas']['ViewAnswer'];
export type ViewPatchBody = components['schemas']['ViewPatchBody'];
export type ViewsPage = components['schemas']['ViewsPage'];
