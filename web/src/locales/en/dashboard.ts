/** The figures. */
export default {
  dashboard: {
    total: 'Leads',
    newThisMonth: 'New this month',
    lastMonth: '{count} last month',
    growth: '{percent}, {count} last month',
    won: 'Won',
    lost: '{count} lost',
    conversion: 'Conversion',
    perDay: 'New leads a day',
    newLeads: '{count} new leads',
    funnel: 'Funnel',
    now: '{count} now',
    median: 'stay {time}',
    bySource: 'By source',
    byAssignee: 'By assignee',
    noSource: 'No source',
    none: 'Nothing to show yet.',
  },
};
