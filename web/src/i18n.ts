/** Languages: the browser's choice at first, the person's choice from then on. */

import { createI18n } from 'vue-i18n';

import en from './locales/en';
import ptBR from './locales/pt-BR';

export const LOCALES = { 'pt-BR': 'Português', en: 'English' } as const;

export type Locale = keyof typeof LOCALES;

const STORAGE_KEY = 'leadwire.locale';

export function preferredLocale(remembered: string | null, browser: readonly string[]): Locale {
  if (remembered !== null && remembered in LOCALES) {
    return remembered as Locale;
  }
  const known = browser.map((tag) => tag.toLowerCase().split('-')[0]).find((language) => language === 'pt' || language === 'en');
  return known === 'pt' ? 'pt-BR' : 'en';
}

export function createTranslations() {
  const locale = preferredLocale(localStorage.getItem(STORAGE_KEY), navigator.languages);
  document.documentElement.lang = locale;
  return createI18n({ legacy: false, locale, fallbackLocale: 'en', messages: { en, 'pt-BR': ptBR } });
}

export function rememberLocale(locale: Locale): void {
  localStorage.setItem(STORAGE_KEY, locale);
  document.documentElement.lang = locale;
}
