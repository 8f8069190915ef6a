/** What main.ts builds once and every component may use. */

import { inject, type InjectionKey } from 'vue';

import type { Config } from './config';
import type { LiveEcho } from './echo';
import type { Confirm } from './composables/useConfirm';
import type { Api } from './lib/api';
import type { Drafts } from './lib/drafts';
import type { Faults } from './lib/faults';
import type { Http } from './lib/http';
import type { Trace } from './lib/trace';
import type { Unsaved } from './lib/unsaved';
import type { Session } from './session';
import type { Toasts } from './composables/useToasts';

export interface Context {
  config: Config;
  api: Api;
  /** The notifier: the inbox. */
  inbox: Http;
  session: Session;
  toasts: Toasts;
  /** What went over the wire, for the debug drawer. */
  trace: Trace;
  connect: () => LiveEcho;
  /** What was typed and not sent. */
  drafts: Drafts;
  unsaved: Unsaved;
  confirm: Confirm;
  faults: Faults;
}

export const contextKey: InjectionKey<Context> = Symbol('context');

export function useContext(): Context {
  const context = inject(contextKey);
  if (!context) {
    throw new Error('used outside the application');
  }
  return context;
}
