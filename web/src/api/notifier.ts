/** Written by ./types, from what the services say of themselves. */

export type components = {
    schemas: {
        /** @description The kinds that somebody waits for. */
        Criticals: {
            critical: ("assigned" | "unassigned" | "status_changed" | "mentioned" | "message" | "import_finished" | "duplicate_found")[];
        };
        /** @description What is wrong with one field. */
        FieldError: {
            field: string | null;
            message: string;
            pointer: string | null;
        };
        /** @description The lead that a notification is about. */
        Lead: {
            id: string;
            name: string;
        };
        /** @description Where to go on. */
        Links: {
            next: string | null;
        };
        /** @description The inbox, at the moment of the answer. */
        Meta: {
            number: number;
            revision: number;
            unread: number;
        };
        /** @description One thing that the user was told. */
        Notification: {
            actor: string | null;
            /** Format: date-time */
            at: string;
            critical: boolean;
            details: {
                [key: string]: unknown;
            };
            event_id: string;
            id: string;
            job_id: string | null;
            /** @enum {string} */
            kind: "assigned" | "unassigned" | "status_changed" | "mentioned" | "message" | "import_finished" | "duplicate_found";
            lead: components["schemas"]["Lead"] | null;
            number: number;
            position: number;
            read_at: string | null;
        };
        /**
         * @description One notification.
         * @example {
         *       "data": {
         *         "actor": "7d9f3c52-5f0e-5d0c-8f57-0d1c6f8f5a01",
         *         "at": "2026-11-23T18:02:00Z",
         *         "critical": true,
         *         "details": {
         *           "excerpt": "Could you call her back?",
         *           "message_id": "4c1c6b0e-0d54-4b55-8a0d-2f6c1c1f0a55"
         *         },
         *         "event_id": "0a5d2c0e-3c55-5f0b-9f3c-0a2f1f6f7d11",
         *         "id": "0b1d8a6e-6a0f-5c1d-9a55-3a0d4c3f9b21",
         *         "kind": "mentioned",
         *         "lead": {
         *           "id": "01939d1c-77a2-7c3e-9d0b-2f6c1c1f0a55",
         *           "name": "Ada Lovelace"
         *         },
         *         "number": 12,
         *         "position": 42,
         *         "read_at": "2026-11-23T18:05:00Z"
         *       },
         *       "meta": {
         *         "number": 12,
         *         "revision": 17,
         *         "unread": 3
         *       }
         *     }
         */
        NotificationAnswer: {
            data: components["schemas"]["Notification"];
            meta: components["schemas"]["Meta"];
        };
        /**
         * @description Notifications, newest first.
         * @example {
         *       "data": [
         *         {
         *           "actor": "7d9f3c52-5f0e-5d0c-8f57-0d1c6f8f5a01",
         *           "at": "2026-11-23T18:02:00Z",
         *           "critical": true,
         *           "details": {
         *             "excerpt": "Could you call her back?",
         *             "message_id": "4c1c6b0e-0d54-4b55-8a0d-2f6c1c1f0a55"
         *           },
         *           "event_id": "0a5d2c0e-3c55-5f0b-9f3c-0a2f1f6f7d11",
         *           "id": "0b1d8a6e-6a0f-5c1d-9a55-3a0d4c3f9b21",
         *           "kind": "mentioned",
         *           "lead": {
         *             "id": "01939d1c-77a2-7c3e-9d0b-2f6c1c1f0a55",
         *             "name": "Ada Lovelace"
         *           },
         *           "number": 12,
         *           "position": 42
         *         }
         *       ],
         *       "links": {
         *         "next": "/notifications?limit=1&cursor=MTI"
         *       },
         *       "meta": {
         *         "number": 12,
         *         "revision": 17,
         *         "unread": 3
         *       }
         *     }
         */
        NotificationPage: {
            data: components["schemas"]["Notification"][];
            links: components["schemas"]["Links"];
            meta: components["schemas"]["Meta"];
        };
        /**
         * @description Which kinds of notifications the user wants. What a request leaves out is on.
         * @example {
         *       "assigned": true,
         *       "duplicate_found": true,
         *       "import_finished": true,
         *       "mentioned": true,
         *       "message": true,
         *       "status_changed": false,
         *       "unassigned": true
         *     }
         */
        Preferences: {
            /** @default true */
            assigned: boolean;
            /** @default true */
            duplicate_found: boolean;
            /** @default true */
            import_finished: boolean;
            /** @default true */
            mentioned: boolean;
            /** @default true */
            message: boolean;
            /** @default true */
            status_changed: boolean;
            /** @default true */
            unassigned: boolean;
        };
        /**
         * @description The user's preferences, and which kinds are critical.
         * @example {
         *       "data": {
         *         "assigned": true,
         *         "duplicate_found": true,
         *         "import_finished": true,
         *         "mentioned": true,
         *         "message": true,
         *         "status_changed": false,
         *         "unassigned": true
         *       },
         *       "meta": {
         *         "critical": [
         *           "assigned",
         *           "mentioned"
         *         ]
         *       }
         *     }
         */
        PreferencesAnswer: {
            data: components["schemas"]["Preferences"];
            meta: components["schemas"]["Criticals"];
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
        /**
         * @description Which ones: what the page did not show is not read.
         * @example {
         *       "before": 13
         *     }
         */
        ReadAll: {
            before?: number | null;
        };
        /**
         * @description The inbox without its notifications.
         * @example {
         *       "meta": {
         *         "number": 12,
         *         "revision": 17,
         *         "unread": 0
         *       }
         *     }
         */
        StateAnswer: {
            data: null;
            meta: components["schemas"]["Meta"];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
};
export type Criticals = components['schemas']['Criticals'];
export type FieldError = components['schemas']['FieldError'];
export type Lead = components['schemas']['Lead'];
export type Links = components['schemas']['Links'];
export type Meta = components['schemas']['Meta'];
export type Notification = components['schemas']['Notification'];
export type NotificationAnswer = components['schemas']['NotificationAnswer'];
export type NotificationPage = components['schemas']['NotificationPage'];
export type Preferences = components['schemas']['Preferences'];
export type PreferencesAnswer = components['schemas']['PreferencesAnswer'];
export type ProblemDetails = components['schemas']['ProblemDetails'];
export type ReadAll = components['schemas']['ReadAll'];
export type StateAnswer = components['schemas']['StateAnswer'];
