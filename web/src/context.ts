/** What main.ts builds once and every component may use. */

import { inject, type InjectionKey } from 'vue';

import type { Config } from './config';
import type { LiveEcho } from './echo';
import type { Api } from './lib/api';
import type { Http } from './lib/http';
import type { Trace } from './lib/trace';
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
  connect: (token: string) => LiveEcho;
}

export const contextKey: InjectionKey<Context> = Symbol('context');

export function useContext(): Context {
  const context = inject(contextKey);
  if (!context) {
    throw new Error('used outside the application');
  }
  return context;
}
