/** Which address shows which page. Each page is a file of its own, loaded when it is first asked for. */

import type { Component } from 'vue';
import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router';
import { ChartColumn, Columns3, FileUp, Table2 } from '@lucide/vue';

import type { Role } from './types';

/** What the sidebar and the phone's bottom bar show, in this order; `title` is a key of the translations. */
export interface Destination {
  name: string;
  title: string;
  icon: Component;
  /** Whoever is less does not see it. */
  least?: Role;
}

export const DESTINATIONS: readonly Destination[] = [
  { name: 'leads', title: 'nav.leads', icon: Table2 },
  { name: 'board', title: 'nav.board', icon: Columns3 },
  { name: 'dashboard', title: 'nav.dashboard', icon: ChartColumn },
  { name: 'imports', title: 'nav.imports', icon: FileUp, least: 'manager' },
];

const routes: RouteRecordRaw[] = [
  { path: '/', redirect: { name: 'leads' } },
  { path: '/leads', name: 'leads', component: () => import('./pages/LeadsPage.vue') },
  { path: '/leads/:id', name: 'lead', component: () => import('./pages/LeadPage.vue'), props: true },
  { path: '/board', name: 'board', component: () => import('./pages/BoardPage.vue') },
  { path: '/dashboard', name: 'dashboard', component: () => import('./pages/DashboardPage.vue') },
  { path: '/imports/:id?', name: 'imports', component: () => import('./pages/ImportsPage.vue'), props: true },
  { path: '/:rest(.*)*', name: 'lost', component: () => import('./pages/LostPage.vue') },
];

export function createAppRouter() {
  return createRouter({ history: createWebHistory(), routes });
}
