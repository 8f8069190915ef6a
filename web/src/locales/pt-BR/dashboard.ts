import type en from '../en/dashboard';

const dashboard: typeof en = {
  dashboard: {
    total: 'Leads',
    newThisMonth: 'Novos neste mês',
    lastMonth: '{count} no mês passado',
    growth: '{percent}, {count} no mês passado',
    won: 'Ganhos',
    lost: '{count} perdidos',
    conversion: 'Conversão',
    perDay: 'Novos leads por dia',
    newLeads: '{count} novos leads',
    funnel: 'Funil',
    now: '{count} agora',
    median: 'ficam {time}',
    bySource: 'Por origem',
    byAssignee: 'Por responsável',
    noSource: 'Sem origem',
    none: 'Nada para mostrar ainda.',
  },
};

export default dashboard;
