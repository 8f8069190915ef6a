/** Notifications of the browser, once a person has asked for them. */

import { readonly, ref } from 'vue';

const STORAGE_KEY = 'leadwire.desktop';

const isSupported = typeof Notification !== 'undefined';
const allowed = ref(isSupported ? Notification.permission : 'denied');
const wanted = ref(localStorage.getItem(STORAGE_KEY) === 'yes');

export const desktop = { isSupported, allowed: readonly(allowed), wanted: readonly(wanted) };

export async function want(on: boolean): Promise<void> {
  if (on) {
    allowed.value = await Notification.requestPermission();
  }
  wanted.value = on && allowed.value === 'granted';
  localStorage.setItem(STORAGE_KEY, wanted.value ? 'yes' : 'no');
}

/** Only while nobody looks at this tab; the same id in several tabs is one. */
export function show(id: string, text: string, onClick: () => void): void {
  if (!wanted.value || allowed.value !== 'granted' || !document.hidden) {
    return;
  }
  const shown = new Notification('Leadwire', { body: text, tag: id, icon: '/favicon.svg' });
  shown.onclick = () => {
    window.focus();
    shown.close();
    onClick();
  };
}
