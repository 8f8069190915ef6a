/** How the person's language writes and reads numbers, money, days and times. Made once a locale: making it is slow. */

import { computed } from 'vue';
import { useI18n } from 'vue-i18n';

import { createFormats, type Formats } from '../lib/formats';

const known = new Map<string, Formats>();

export function formatsOf(locale: string): Formats {
  const formats = known.get(locale) ?? createFormats(locale);
  known.set(locale, formats);
  return formats;
}

/** The current one, which changes with the language. */
export function useFormats() {
  const { locale: language } = useI18n();
  return computed(() => {
    // The person's own variety of the language says how numbers and times are written.
    const locale = navigator.languages.find((tag) => tag.split('-')[0] === language.value.split('-')[0]) ?? language.value;
    return formatsOf(locale);
  });
}
