import type { Messages } from '../en';
import lead from './lead';
import leads from './leads';
import shell from './shell';

const ptBR: Messages = { ...shell, ...leads, ...lead };

export default ptBR;
