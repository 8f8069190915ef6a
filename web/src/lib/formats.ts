/**
 * Numbers, money, dates and times in one locale: one writer and one reader. What is written here is read back as the same
 * value, and text that could mean two things is refused. Pure; the components get it from composables/useFormats.
 */

/** Why a text was not understood: a key of `misread.*` in the translations, with its parameters. */
export interface Misread {
  code:
    | 'required'
    | 'number'
    | 'decimals'
    | 'whole'
    | 'precision'
    | 'negative'
    | 'range'
    | 'date'
    | 'email'
    | 'url'
    | 'currency'
    | 'currencyMark'
    | 'currencyDiffers'
    | 'currencyMissing'
    | 'amountMissing';
  values?: Readonly<Record<string, string>>;
}

export type Read<T> = { value: T; misread?: undefined } | { misread: Misread };

/** Decimal text with a point, such as `1500.00`, and the currency that the text named, if it named one. */
export interface Amount {
  amount: string;
  currency: string | null;
}

export interface AmountContext {
  /** ISO 4217: the one that was chosen beside the amount; another one in the text is refused. */
  currency?: string | null;
  /** The one that holds when neither the text nor the choice names one. */
  fallback?: string | null;
}

export type Formats = ReturnType<typeof createFormats>;

const DAY = 86_400_000; // ms
const KEPT_DECIMALS = 2; // the server keeps no more, whatever the currency has
const AMOUNT_DIGITS = 13; // before the decimal separator, as the server
const LARGEST_NUMBER = 10 ** 15; // as the server

export function createFormats(locale: string) {
  const number = new Intl.NumberFormat(locale);
  const grouped = new Intl.NumberFormat(locale, { useGrouping: 'always' as unknown as boolean, maximumFractionDigits: 0 });
  const percent = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 });
  const clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' });
  const day = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short' });
  const dayAndYear = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' });
  const moment = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' });
  const full = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium' });
  const plainDate = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
  const typedDate = new Intl.DateTimeFormat(locale, { day: '2-digit', month: '2-digit', year: 'numeric', timeZone: 'UTC' });
  const currencies = new Map<string, Intl.NumberFormat>();
  const decimal = number.formatToParts(0.5).find(({ type }) => type === 'decimal')!.value;
  const group = evened(grouped.formatToParts(1_234_567).find(({ type }) => type === 'group')?.value ?? '');
  const dateOrder = typedDate.formatToParts(0).map(({ type }) => type).filter((type) => ['day', 'month', 'year'].includes(type));
  const months = lazily(monthNames);
  const marks = lazily(currencyMarks);

  function style(currency: string, digits: number): Intl.NumberFormat {
    const key = `${currency} ${digits}`;
    let format = currencies.get(key);
    if (format === undefined) {
      format = new Intl.NumberFormat(locale, { style: 'currency', currency, minimumFractionDigits: digits, maximumFractionDigits: digits });
      currencies.set(key, format);
    }
    return format;
  }

  /** An amount with its currency; without one it is a number with two decimals. */
  function money(value: string | number, currency: string | null): string {
    const amount = Number(value);
    const digits = Number.isInteger(amount) ? 0 : KEPT_DECIMALS;
    return currency === null ? localised(amount.toFixed(KEPT_DECIMALS)) : style(currency, digits).format(amount);
  }

  /** For a column's head, never for an input: `R$ 876,5 mil`. */
  function shortMoney(value: number, currency: string): string {
    const compact = { style: 'currency', currency, notation: 'compact', maximumFractionDigits: 1, minimumFractionDigits: 0 } as const;
    return new Intl.NumberFormat(locale, compact).format(value);
  }

  /** Today's time, this year's day, else the day with its year. */
  function shortTime(timestamp: string, now = Date.now()): string {
    const at = new Date(timestamp);
    const today = new Date(now);
    if (Math.abs(now - at.getTime()) < DAY && at.getDate() === today.getDate()) {
      return clock.format(at);
    }
    return (at.getFullYear() === today.getFullYear() ? day : dayAndYear).format(at);
  }

  /** Decimal text (`-1234.5`) with this locale's separators, all of its digits kept. */
  function localised(text: string): string {
    const [, sign, integer, fraction] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text)!;
    return `${sign}${number.format(BigInt(integer!))}${fraction ? decimal + fraction : ''}`;
  }

  /** A number with all of its digits. */
  const exact = (value: number): string => localised(plainDecimal(value));

  /** What an input holds for an amount: no currency, and its decimals even when they are zeros. */
  function amountText(value: string, currency: string | null): string {
    const [integer, fraction = ''] = value.split('.');
    const digits = fraction.replace(/0+$/, '').padEnd(decimalsOf(currency), '0');
    return localised(digits === '' ? integer! : `${integer}.${digits}`);
  }

  /** How many decimals an amount may have. */
  function decimalsOf(currency: string | null): number {
    return currency === null ? KEPT_DECIMALS : Math.min(KEPT_DECIMALS, currencyStyle(currency)?.resolvedOptions().maximumFractionDigits ?? KEPT_DECIMALS);
  }

  /** Null for what is no currency's code. */
  function currencyStyle(currency: string, currencyDisplay: 'symbol' | 'narrowSymbol' = 'symbol'): Intl.NumberFormat | null {
    return /^[A-Z]{3}$/.test(currency) ? new Intl.NumberFormat(locale, { style: 'currency', currency, currencyDisplay }) : null;
  }

  /** Canonical decimal text and the number of decimals that were typed; null for what is no number in this locale. */
  function decimalText(text: string): { canonical: string; decimals: number } | null {
    const matched = /^(-?)(.*)$/s.exec(text)!;
    const [integer = '', fraction, ...rest] = matched[2]!.split(decimal);
    const isFraction = fraction === undefined || /^\d+$/.test(fraction);
    if (rest.length > 0 || !isFraction || (integer === '' && fraction === undefined)) {
      return null;
    }
    const digits = integer === '' ? '0' : ungrouped(integer);
    return digits === null ? null : { canonical: canonical(`${matched[1]}${digits}.${fraction ?? ''}`), decimals: fraction?.length ?? 0 };
  }

  /** Digits without separators; null when a separator is not where this locale has one. */
  function ungrouped(integer: string): string | null {
    const digits = group === '' ? integer : integer.replaceAll(group, '');
    if (!/^\d+$/.test(digits)) {
      return null;
    }
    return digits === integer || plain(grouped.format(BigInt(digits))) === integer ? digits : null;
  }

  const exampleNumber = (decimals: number): string => (decimals === 0 ? localised('1234') : localised(`1234.${'56'.slice(0, decimals)}`));

  function readNumber(text: string): Read<number> {
    const read = decimalText(plain(text));
    if (read === null) {
      return { misread: { code: 'number', values: { example: exampleNumber(2) } } };
    }
    const value = Number(read.canonical);
    if (Math.abs(value) > LARGEST_NUMBER) {
      return { misread: { code: 'range', values: { low: localised(`-${LARGEST_NUMBER}`), high: localised(String(LARGEST_NUMBER)) } } };
    }
    return canonical(plainDecimal(value)) === read.canonical ? { value } : { misread: { code: 'precision' } };
  }

  /** A whole number within limits. */
  function readWhole(text: string, low: number, high: number): Read<number> {
    const read = readNumber(text);
    if (read.misread !== undefined) {
      return read.misread.code === 'number' ? { misread: { code: 'whole', values: { low: exact(low), high: exact(high) } } } : read;
    }
    const isWithin = read.value >= low && read.value <= high;
    if (!Number.isInteger(read.value) || plain(text).includes(decimal)) {
      return { misread: { code: 'whole', values: { low: exact(low), high: exact(high) } } };
    }
    return isWithin ? read : { misread: { code: 'range', values: { low: exact(low), high: exact(high) } } };
  }

  function readAmount(text: string, { currency = null, fallback = null }: AmountContext = {}): Read<Amount> {
    const unreadable = (): Read<never> => ({ misread: { code: 'number', values: { example: exampleNumber(decimalsOf(currency ?? fallback)) } } });
    const [, sign = '', before = '', inner = '', digits = '', after = ''] = AMOUNT.exec(plain(text)) ?? [];
    if (!/\d/.test(digits) || (sign && inner) || (before && after)) {
      return unreadable();
    }
    const mark = before || after;
    const named = mark === '' ? null : currencyOf(mark, currency ?? fallback);
    if (mark !== '' && named === null) {
      return { misread: { code: 'currencyMark', values: { mark } } };
    }
    if (named !== null && currency !== null && named !== currency) {
      return { misread: { code: 'currencyDiffers', values: { named, currency } } };
    }
    const read = decimalText(digits);
    return read === null ? unreadable() : checked(read, sign || inner, named, decimalsOf(named ?? currency ?? fallback));
  }

  function checked(read: { canonical: string; decimals: number }, sign: string, currency: string | null, most: number): Read<Amount> {
    if (sign !== '' && read.canonical !== '0') {
      return { misread: { code: 'negative' } };
    }
    if (read.decimals > most) {
      return { misread: { code: 'decimals', values: { most: String(most), example: exampleNumber(most) } } };
    }
    const [integer, fraction = ''] = read.canonical.split('.');
    if (integer!.length > AMOUNT_DIGITS) {
      return { misread: { code: 'range', values: { low: localised('0'), high: localised('9'.repeat(AMOUNT_DIGITS)) } } };
    }
    return { value: { amount: `${integer}.${fraction.padEnd(KEPT_DECIMALS, '0')}`, currency } };
  }

  /** The currency that a mark stands for: its code, or its symbol as this locale shows it. */
  function currencyOf(mark: string, expected: string | null): string | null {
    const wanted = mark.toUpperCase();
    const narrow = expected === null ? undefined : markOf(currencyStyle(expected, 'narrowSymbol'));
    const isExpected = expected !== null && (wanted === expected || wanted === markOf(currencyStyle(expected)) || (wanted === narrow && /\p{Sc}/u.test(wanted)));
    return isExpected ? expected : (marks().get(wanted) ?? null);
  }

  /** By symbol and by code. What also abbreviates thousands or millions stands for no currency. */
  function currencyMarks(): ReadonlyMap<string, string> {
    const codes = Intl.supportedValuesOf('currency');
    const found = new Map<string, string>();
    for (const code of codes) {
      const mark = markOf(currencyStyle(code));
      if (mark !== undefined) {
        found.set(mark, code);
      }
    }
    const compact = new Intl.NumberFormat(locale, { notation: 'compact' });
    for (const power of [3, 6, 9, 12]) {
      found.delete(plain(compact.formatToParts(10 ** power).find(({ type }) => type === 'compact')?.value ?? '').toUpperCase());
    }
    return new Map([...found, ...codes.map((code) => [code, code] as const)]);
  }

  function markOf(format: Intl.NumberFormat | null): string | undefined {
    const mark = format?.formatToParts(0).find(({ type }) => type === 'currency')?.value;
    return mark === undefined ? undefined : plain(mark).toUpperCase();
  }

  /** A day (`2026-03-04`) in words. */
  const date = (iso: string): string => written(plainDate, iso);

  /** A day as an input holds it. */
  const dateText = (iso: string): string => written(typedDate, iso);

  function written(format: Intl.DateTimeFormat, iso: string): string {
    const at = new Date(0);
    const [year, month, dayOfMonth] = iso.split('-').map(Number);
    at.setUTCFullYear(year!, month! - 1, dayOfMonth);
    return format.formatToParts(at).map(({ type, value }) => (type === 'year' ? value.padStart(4, '0') : value)).join('');
  }

  /** A day, as it is written here, as this locale has it in digits, or as ISO 8601. The year has four digits. */
  function readDate(text: string): Read<string> {
    const typed = plain(text).toLowerCase();
    const iso = /^(\d{4})-(\d{2})-(\d{2})$/.exec(typed);
    const [year, month, dayOfMonth] = iso ? iso.slice(1).map(Number) : (dateInDigits(typed) ?? dateInWords(typed) ?? []);
    const at = new Date(0);
    at.setUTCFullYear(year ?? NaN, (month ?? NaN) - 1, dayOfMonth);
    const isReal = year !== undefined && year > 0 && at.getUTCMonth() + 1 === month && at.getUTCDate() === dayOfMonth;
    return isReal ? { value: at.toISOString().slice(0, 10) } : { misread: { code: 'date', values: { example: dateText('2026-12-31') } } };
  }

  function dateInDigits(typed: string): number[] | null {
    const parts = /^(\d+)([./-])(\d+)\2(\d+)$/.exec(typed);
    if (parts === null) {
      return null;
    }
    const byType = new Map(dateOrder.map((type, index) => [type, [parts[1]!, parts[3]!, parts[4]!][index]!]));
    const [year, month, dayOfMonth] = ['year', 'month', 'day'].map((type) => byType.get(type as 'year')!);
    return year!.length === 4 && month!.length <= 2 && dayOfMonth!.length <= 2 ? [Number(year), Number(month), Number(dayOfMonth)] : null;
  }

  function dateInWords(typed: string): number[] | null {
    const words = typed.split(/[\s,./-]+/).filter((word) => word !== '' && word !== 'de');
    const month = words.map((word) => months().get(word)).find((found) => found !== undefined);
    const numbers = words.filter((word) => /^\d+$/.test(word));
    const year = numbers.find(({ length }) => length === 4);
    const dayOfMonth = numbers.find(({ length }) => length <= 2);
    return words.length === 3 && month && year && dayOfMonth ? [Number(year), month, Number(dayOfMonth)] : null;
  }

  function monthNames(): ReadonlyMap<string, number> {
    const styles = ['short', 'long'].flatMap((month) => [{ month }, { month, day: 'numeric', year: 'numeric' }] as Intl.DateTimeFormatOptions[]);
    return new Map(
      styles.flatMap((style) => {
        const format = new Intl.DateTimeFormat(locale, { ...style, timeZone: 'UTC' });
        return Array.from({ length: 12 }, (_, index): [string, number] => {
          const name = format.formatToParts(Date.UTC(2026, index, 15)).find(({ type }) => type === 'month')!.value;
          return [name.toLowerCase().replace(/\.$/, ''), index + 1];
        });
      }),
    );
  }

  return {
    locale,
    money,
    shortMoney,
    shortTime,
    /** For figures: rounded to three decimals. */
    number: (value: number): string => number.format(value),
    exact,
    amountText,
    percent: (value: number): string => percent.format(value),
    time: (timestamp: string): string => clock.format(new Date(timestamp)),
    moment: (timestamp: string): string => moment.format(new Date(timestamp)),
    fullTime: (timestamp: string): string => full.format(new Date(timestamp)),
    date,
    dateText,
    readNumber,
    readWhole,
    readAmount,
    readDate,
  };
}

/** Sign, mark, sign, digits with separators, mark. */
const AMOUNT = (() => {
  const mark = String.raw`((?:[\p{L}\p{Sc}/](?:[\p{L}\p{Sc}/. ]*[\p{L}\p{Sc}/.])?)?)`;
  return new RegExp(String.raw`^(-?) ?${mark} ?(-?) ?([^\p{L}\p{Sc}/-]*?) ?${mark}$`, 'u');
})();

/** Text as typed and text as `Intl` writes it, alike: one kind of space and of minus sign, no marks of direction. */
function evened(text: string): string {
  return text.replace(/[\u061c\u200e\u200f]/g, '').replace(/\s+/g, ' ').replace(/[\u2212\u2010\u2011]/g, '-');
}

function plain(text: string): string {
  return evened(text).trim();
}

/** Decimal text without needless zeros; no negative zero. */
function canonical(text: string): string {
  const [, sign, integer, fraction = ''] = /^(-?)0*(\d*)(?:\.(\d*?)0*)?$/.exec(text)!;
  const number = `${integer || '0'}${fraction && `.${fraction}`}`;
  return number === '0' ? number : `${sign}${number}`;
}

/** A number as decimal text, without an exponent. */
function plainDecimal(value: number): string {
  const [, sign, integer, fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/.exec(String(value))!;
  const digits = integer + fraction;
  const point = integer!.length + Number(exponent);
  if (point <= 0) {
    return `${sign}0.${'0'.repeat(-point)}${digits}`;
  }
  const whole = digits.padEnd(point, '0');
  return `${sign}${whole.slice(0, point)}${whole.length > point ? `.${whole.slice(point)}` : ''}`;
}

function lazily<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
