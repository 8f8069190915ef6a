import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { createFormats } from './formats';

/** The two languages of the screen, and varieties that a browser may ask for, with other separators, groups and orders. */
const LOCALES = ['pt-BR', 'en', 'en-US', 'en-GB', 'en-IN', 'en-ZA', 'en-CA', 'pt-PT', 'pt-AO'];
/** ISO 4217, as the server knows them. */
const CURRENCIES = `
  AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP
  CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG
  HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL
  MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR
  RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD
  TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
`.trim().split(/\s+/);

const decimals = (currency: string): number => Math.min(2, new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits!);
const amounts = fc.constantFrom(...CURRENCIES).chain((currency) =>
  fc.tuple(fc.constant(currency), fc.bigInt({ min: 0n, max: 10n ** 13n - 1n }), decimals(currency) === 2 ? fc.integer({ min: 0, max: 99 }) : fc.constant(0)),
);
const days = fc.date({ min: new Date('0001-01-01T00:00:00Z'), max: new Date('9999-12-31T00:00:00Z'), noInvalidDate: true }).map((date) => date.toISOString().slice(0, 10));

describe.each(LOCALES)('in %s what is shown can be typed', (locale) => {
  const formats = createFormats(locale);

  test('an amount with its currency, without it, and as an input holds it', () => {
    fc.assert(
      fc.property(amounts, ([currency, integer, cents]) => {
        const amount = `${integer}.${String(cents).padStart(2, '0')}`;
        const shown = formats.money(amount, currency);

        expect(formats.readAmount(shown, { currency })).toEqual({ value: { amount, currency } });
        expect(formats.readAmount(formats.amountText(amount, currency), { currency })).toEqual({ value: { amount, currency: null } });
        expect(formats.readAmount(formats.money(amount, null))).toEqual({ value: { amount, currency: null } });
      }),
    );
  });

  test('an amount in any currency, where none is expected: it is in that one, or refused', () => {
    for (const currency of CURRENCIES) {
      const read = formats.readAmount(formats.money('1500.00', currency));
      expect([refused('currencyMark'), { value: { amount: '1500.00', currency } }]).toContainEqual(read);
    }
  });

  test('a number, whatever it is', () => {
    const numbers = fc.oneof(fc.double({ min: -1e15, max: 1e15, noNaN: true }), fc.integer(), fc.constantFrom(0, 1e15, -1e15, 1e-7, 0.1 + 0.2, 1234.5, 1500));
    fc.assert(fc.property(numbers, (value) => {
      expect(formats.readNumber(formats.exact(value))).toEqual({ value: value === 0 ? 0 : value });
    }));
  });

  test('a count and a score', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 100 }), (value) => {
      expect(formats.readWhole(formats.number(value), 0, 100)).toEqual({ value });
    }));
    fc.assert(fc.property(fc.integer(), (value) => {
      expect(formats.readNumber(formats.number(value))).toEqual({ value });
    }));
  });

  test('a day in words and in digits', () => {
    fc.assert(
      fc.property(days, (day) => {
        expect(formats.readDate(formats.date(day))).toEqual({ value: day });
        expect(formats.readDate(formats.dateText(day))).toEqual({ value: day });
        expect(formats.readDate(day)).toEqual({ value: day });
      }),
    );
  });

  test('whatever is typed is refused, or shown as what it was taken for and then taken for the same', () => {
    const typed = fc.string({ unit: fc.constantFrom(...'0123456789.,- R$€US\u00a0\u202f\u2212eE%kKmil()\'²½'), maxLength: 14 });
    fc.assert(
      fc.property(typed, (text) => {
        const read = formats.readAmount(text, { fallback: 'BRL' });
        if (read.misread === undefined) {
          const currency = read.value.currency ?? 'BRL';
          expect(formats.readAmount(formats.money(read.value.amount, currency), { currency })).toEqual({ value: { ...read.value, currency } });
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test.each(['', ' ', 'abc', 'R$', '-', '--1', '1-', '1e3', '1.2.3.4', '1,2,3,4', '12abc34', '½', '10²', '(5)', '10%', 'NaN', 'Infinity', '0x10', '1..5', '1,,5', '1,', '1.', "1'500", '1 5 0', '876,5K', '876.5K', 'R$ 876,5 mil', '1 bi', '5 M'])('%j is no amount', (text) => {
    expect(formats.readAmount(text, { fallback: 'BRL' }).misread).toBeDefined();
  });

  test.each(['', '1', '31/02/2026', '2026-02-30', '2026-13-01', '00/00/0000', '1/2/26', '31.12', 'soon', '2026', '12/2026', '1 2 2026 3', '2026-1-1T00:00:00Z', '99/99/9999'])('%j is no day', (text) => {
    expect(formats.readDate(text).misread?.code).toBe('date');
  });
});

const amount = (value: string, currency: string | null = null) => ({ value: { amount: value, currency } });
const refused = (code: string) => ({ misread: expect.objectContaining({ code }) as unknown });

test.each([
  ['pt-BR', '1.500', amount('1500.00')],
  ['pt-BR', '1.234,56', amount('1234.56')],
  ['pt-BR', '12,5', amount('12.50')],
  ['pt-BR', '1500,00', amount('1500.00')],
  ['pt-BR', '1500', amount('1500.00')],
  ['pt-BR', 'R$ 1500', amount('1500.00', 'BRL')],
  ['pt-BR', 'R$\u00a01.500,00', amount('1500.00', 'BRL')],
  ['pt-BR', 'BRL 1.500,00', amount('1500.00', 'BRL')],
  ['pt-BR', '1.500,00 R$', amount('1500.00', 'BRL')],
  ['pt-BR', 'r$1.500', amount('1500.00', 'BRL')],
  ['pt-BR', 'US$ 1.500,00', amount('1500.00', 'USD')],
  ['pt-BR', '\u20131.500', refused('number')],
  ['pt-BR', '\u22121.500', refused('negative')],
  ['pt-BR', '-R$ 1.500,00', refused('negative')],
  ['pt-BR', '-0,00', amount('0.00')],
  ['pt-BR', '1,500', refused('decimals')],
  ['pt-BR', '1.50', refused('number')],
  ['pt-BR', '1500.00', refused('number')],
  ['pt-BR', '1,234.56', refused('number')],
  ['pt-BR', '1.2345', refused('number')],
  ['pt-BR', '0.500', refused('number')],
  ['pt-BR', '1.23.456', refused('number')],
  ['pt-BR', '1 500', refused('number')],
  ['pt-BR', '10.000.000.000.000', refused('range')],
  ['pt-BR', '1.500 XYZ', refused('currencyMark')],
  ['en', '1,234.56', amount('1234.56')],
  ['en', '1,500', amount('1500.00')],
  ['en', '1.50', amount('1.50')],
  ['en', '.5', amount('0.50')],
  ['en', '$1,500', amount('1500.00', 'USD')],
  ['en', 'R$1,500.00', amount('1500.00', 'BRL')],
  ['en', '1.234,56', refused('number')],
  ['en', '1.500', refused('decimals')],
  ['en', '1,50', refused('number')],
  ['en', '12,34,567.00', refused('number')],
  ['en-IN', '12,34,567.00', amount('1234567.00')],
  ['pt-PT', '1 234 567,50', amount('1234567.50')],
  ['pt-PT', '1 500', amount('1500.00')],
  ['pt-PT', '1.500', refused('number')],
])('in %s the amount %j is %o', (locale, text, expected) => {
  expect(createFormats(locale).readAmount(text)).toEqual(expected);
});

test('a currency decides how many decimals there may be, and differs from the chosen one aloud', () => {
  const { readAmount } = createFormats('pt-BR');

  expect(readAmount('1,5', { currency: 'JPY' })).toEqual(refused('decimals'));
  expect(readAmount('1.500', { currency: 'JPY' })).toEqual(amount('1500.00'));
  expect(readAmount('1,555', { currency: 'KWD' })).toEqual(refused('decimals'));
  expect(readAmount('US$ 10', { currency: 'BRL' })).toEqual(refused('currencyDiffers'));
  expect(readAmount('US$ 10', { fallback: 'BRL' })).toEqual(amount('10.00', 'USD'));
  expect(readAmount('$ 10', { currency: 'USD' })).toEqual(amount('10.00', 'USD'));
  expect(readAmount('$ 10', { currency: 'BRL' })).toEqual(refused('currencyMark'));
});

test('a number keeps its digits or is refused', () => {
  const { readNumber, readWhole } = createFormats('pt-BR');

  expect(readNumber('9.007.199.254.740.993')).toEqual(refused('range'));
  expect(readNumber('0,12345678901234567890')).toEqual(refused('precision'));
  expect(readNumber('-1.234,5')).toEqual({ value: -1234.5 });
  expect(readNumber('1.5')).toEqual(refused('number'));
  expect(readWhole('7,0', 0, 100)).toEqual(refused('whole'));
  expect(readWhole('sete', 0, 100)).toEqual(refused('whole'));
  expect(readWhole('101', 0, 100)).toEqual(refused('range'));
  expect(readWhole('-1', 0, 100)).toEqual(refused('range'));
});

test.each([
  ['pt-BR', '4 de mar. de 2026'],
  ['pt-BR', '4 de março de 2026'],
  ['pt-BR', '4 MAR 2026'],
  ['pt-BR', '04/03/2026'],
  ['pt-BR', '4/3/2026'],
  ['pt-BR', '4-3-2026'],
  ['pt-BR', '2026-03-04'],
  ['en', 'Mar 4, 2026'],
  ['en', '4 March 2026'],
  ['en', '3/4/2026'],
  ['en-GB', '04/03/2026'],
  ['en-ZA', '2026/03/04'],
])('in %s %j is the fourth of March', (locale, text) => {
  expect(createFormats(locale).readDate(text)).toEqual({ value: '2026-03-04' });
});
