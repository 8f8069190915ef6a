import type { Messages } from '../en';
import dashboard from './dashboard';
import imports from './imports';
import inbox from './inbox';
import lead from './lead';
import leads from './leads';
import shell from './shell';

const ptBR: Messages = { ...shell, ...leads, ...lead, ...dashboard, ...imports, ...inbox };

export default ptBR;
