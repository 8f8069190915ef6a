/** What a logged-in person works with, made once by the shell: their connection and their company. */

import { inject, provide, type InjectionKey, type Ref, type ShallowRef } from 'vue';

import type { Notifications } from '../composables/useNotifications';
import type { Connection } from '../composables/useConnection';
import type { LiveEcho } from '../echo';
import type { PositionedStats, Role, User } from '../types';
import type { Commands } from './useCommands';
import type { Company } from './useCompany';
import type { Jobs } from './useJobs';

const ROLES: readonly Role[] = ['viewer', 'agent', 'manager', 'admin'];

export interface Workspace {
  user: User;
  echo: LiveEcho;
  connection: Connection;
  company: Company;
  commands: Commands;
  jobs: Jobs;
  stats: Readonly<ShallowRef<PositionedStats | null>>;
  notifications: Notifications;
  /** Whether the debug drawer is open. */
  debugging: Ref<boolean>;
  /** Whether the person's role is at least this. */
  may: (least: Role) => boolean;
}

const key: InjectionKey<Workspace> = Symbol('workspace');

export function provideWorkspace(made: Omit<Workspace, 'may'>): Workspace {
  const rank = ROLES.indexOf(made.user.role as Role);
  const workspace = { ...made, may: (least: Role) => rank >= ROLES.indexOf(least) };
  provide(key, workspace);
  return workspace;
}

export function useWorkspace(): Workspace {
  const workspace = inject(key);
  if (!workspace) {
    throw new Error('used outside the shell');
  }
  return workspace;
}
