import type { Messages } from '../en';
import leads from './leads';
import shell from './shell';

const ptBR: Messages = { ...shell, ...leads };

export default ptBR;
