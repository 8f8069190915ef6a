/** Languages: the browser's choice at first, the person's choice from then on. Only the one in use is loaded. */

import type { WritableComputedRef } from 'vue';
import { createI18n } from 'vue-i18n';

import type { Messages } from './locales/en';

export const LOCALES = { 'pt-BR': 'Português', en: 'English' } as const;

export type Locale = keyof typeof LOCALES;

const STORAGE_KEY = 'leadwire.locale';

const LOADERS: Record<Locale, () => Promise<{ default: Messages }>> = {
  en: () => import('./locales/en'),
  'pt-BR': () => import('./locales/pt-BR'),
};

export function preferredLocale(remembered: string | null, browser: readonly string[]): Locale {
  if (remembered !== null && remembered in LOCALES) {
    return remembered as Locale;
  }
  const known = browser.map((tag) => tag.toLowerCase().split('-')[0]).find((language) => language === 'pt' || language === 'en');
  return known === 'pt' ? 'pt-BR' : 'en';
}

export async function createTranslations() {
  const locale = preferredLocale(localStorage.getItem(STORAGE_KEY), navigator.languages);
  const i18n = createI18n({ legacy: false, locale, messages: { [locale]: (await LOADERS[locale]()).default } });
  document.documentElement.lang = locale;
  return i18n;
}

/** As much of what `useI18n` returns as it takes to switch. */
interface Translations {
  locale: WritableComputedRef<string>;
  setLocaleMessage: (locale: string, messages: Messages) => void;
}

/** Show another language, once its words are here. */
export async function switchLocale(i18n: Translations, locale: Locale): Promise<void> {
  i18n.setLocaleMessage(locale, (await LOADERS[locale]()).default);
  i18n.locale.value = locale;
  document.documentElement.lang = locale;
  localStorage.setItem(STORAGE_KEY, locale);
}
