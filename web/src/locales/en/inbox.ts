/** The bell. */
export default {
  inbox: {
    open: 'Notifications',
    unread: 'Notifications, none unread | Notifications, one unread | Notifications, {count} unread',
    readAll: 'Mark all as read',
    read: 'Mark as read',
    unreadAgain: 'Mark as unread',
    empty: 'Nothing yet.',
    more: 'Show older ones',
    desktop: 'Also show them on the desktop',
    blocked: 'The browser blocks notifications for this page.',
    show: 'Show',
    critical: 'Waits for you',
    kind: {
      assigned: '{actor} gave you {lead}',
      unassigned: '{actor} took {lead} from you',
      status_changed: '{actor} moved {lead} to {stage}',
      mentioned: '{actor} mentioned you on {lead}',
      message: '{actor} wrote on {lead}',
      import_finished: 'The import {name} is finished: {created} leads',
      duplicate_found: '{lead} may be a duplicate of one of yours',
    },
  },
};
