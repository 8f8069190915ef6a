/** Light, dark, or as the system says. */

import { readonly, ref } from 'vue';

export const THEMES = ['system', 'light', 'dark'] as const;

export type Theme = (typeof THEMES)[number];

const STORAGE_KEY = 'leadwire.theme';

const chosen = ref<Theme>('system');

export const theme = readonly(chosen);

/** Show a theme from now on; the system's own is not written down. */
export function setTheme(wanted: Theme): void {
  chosen.value = wanted;
  if (wanted === 'system') {
    localStorage.removeItem(STORAGE_KEY);
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem(STORAGE_KEY, wanted);
    document.documentElement.dataset.theme = wanted;
  }
}

export function startTheme(): void {
  const remembered = localStorage.getItem(STORAGE_KEY);
  setTheme(THEMES.find((one) => one === remembered) ?? 'system');
}
