/** Numbers, money and times as the person's language writes them. Made once a language: making one is slow. */

import { computed } from 'vue';
import { useI18n } from 'vue-i18n';

const DAY = 86_400_000;

export function useFormats() {
  const { locale: language } = useI18n();
  /** The person's own variety of the language, which says how times are written. */
  const locale = computed(() => navigator.languages.find((tag) => tag.split('-')[0] === language.value.split('-')[0]) ?? language.value);
  const number = computed(() => new Intl.NumberFormat(locale.value));
  const percent = computed(() => new Intl.NumberFormat(locale.value, { style: 'percent', maximumFractionDigits: 1 }));
  const clock = computed(() => new Intl.DateTimeFormat(locale.value, { hour: '2-digit', minute: '2-digit' }));
  const day = computed(() => new Intl.DateTimeFormat(locale.value, { day: 'numeric', month: 'short' }));
  const dayAndYear = computed(() => new Intl.DateTimeFormat(locale.value, { day: 'numeric', month: 'short', year: 'numeric' }));
  const full = computed(() => new Intl.DateTimeFormat(locale.value, { dateStyle: 'medium', timeStyle: 'medium' }));
  const currencies = computed(() => new Map<string, Intl.NumberFormat>([['', new Intl.NumberFormat(locale.value)]]));

  function money(value: string | number, currency: string | null): string {
    const amount = Number(value);
    const digits = Number.isInteger(amount) ? 0 : 2;
    const key = currency === null ? '' : `${currency} ${digits}`;
    let format = currencies.value.get(key);
    if (format === undefined) {
      const style = { style: 'currency', currency: currency!, minimumFractionDigits: digits, maximumFractionDigits: digits } as const;
      format = new Intl.NumberFormat(locale.value, style);
      currencies.value.set(key, format);
    }
    return format.format(amount);
  }

  /** So short that a column's head has room for it: `R$876.5K`. */
  function shortMoney(value: number, currency: string): string {
    const style = { style: 'currency', currency, notation: 'compact', maximumFractionDigits: 1, minimumFractionDigits: 0 } as const;
    return new Intl.NumberFormat(locale.value, style).format(value);
  }

  /** Today's time, this year's day, else the day with its year. */
  function shortTime(timestamp: string, now = Date.now()): string {
    const at = new Date(timestamp);
    const today = new Date(now);
    if (Math.abs(now - at.getTime()) < DAY && at.getDate() === today.getDate()) {
      return clock.value.format(at);
    }
    return (at.getFullYear() === today.getFullYear() ? day : dayAndYear).value.format(at);
  }

  return {
    money,
    shortMoney,
    shortTime,
    number: (value: number) => number.value.format(value),
    percent: (value: number) => percent.value.format(value),
    time: (timestamp: string) => clock.value.format(new Date(timestamp)),
    fullTime: (timestamp: string) => full.value.format(new Date(timestamp)),
    date: (timestamp: string) => dayAndYear.value.format(new Date(timestamp)),
  };
}

export type Formats = ReturnType<typeof useFormats>;
