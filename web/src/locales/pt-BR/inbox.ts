import type en from '../en/inbox';

const inbox: typeof en = {
  inbox: {
    open: 'Notificações',
    unread: 'Notificações, nenhuma não lida | Notificações, uma não lida | Notificações, {count} não lidas',
    readAll: 'Marcar todas como lidas',
    read: 'Marcar como lida',
    unreadAgain: 'Marcar como não lida',
    empty: 'Nada ainda.',
    more: 'Mostrar mais antigas',
    desktop: 'Mostrar também na área de trabalho',
    blocked: 'O navegador bloqueia notificações desta página.',
    show: 'Ver',
    critical: 'Espera por você',
    kind: {
      assigned: '{actor} passou {lead} para você',
      unassigned: '{actor} tirou {lead} de você',
      status_changed: '{actor} moveu {lead} para {stage}',
      mentioned: '{actor} mencionou você em {lead}',
      message: '{actor} escreveu em {lead}',
      import_finished: 'A importação {name} terminou: {created} leads',
      duplicate_found: '{lead} pode ser duplicado de um dos seus',
    },
  },
};

export default inbox;
