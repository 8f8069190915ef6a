import dashboard from './dashboard';
import imports from './imports';
import inbox from './inbox';
import lead from './lead';
import leads from './leads';
import shell from './shell';

/** One file an area. This is the shape that every other language has to fill. */
const en = { ...shell, ...leads, ...lead, ...dashboard, ...imports, ...inbox };

export default en;

export type Messages = typeof en;
