/** What main.ts builds once and every component may use. */

import { inject, type InjectionKey } from 'vue';

import type { LiveEcho } from './echo';
import type { Api } from './lib/api';
import type { Session } from './session';

export interface Context {
  api: Api;
  session: Session;
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
