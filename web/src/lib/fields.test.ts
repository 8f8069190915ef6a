import { describe, expect, test } from 'vitest';

import { aLead } from '../given';
import type { CustomField, Lead } from '../types';
import { changesOf, draftOf, EDITED_KINDS, entriesOf, filled, ownSpecs, readDraft, STANDARD, translated, type Draft, type EditedKind, type FieldSpec } from './fields';
import { createFormats } from './formats';
import { inputOf, type Value } from './merge';

const PT = createFormats('pt-BR');
const EN = createFormats('en');
const formats = { 'pt-BR': PT, en: EN };

type Typed = readonly [entries: Draft, values: Record<string, Value>];

interface Case {
  spec: FieldSpec;
  /** A lead that has a value, by its fields. */
  has: Partial<Lead>;
  /** What its controls hold. */
  shown: Record<keyof typeof formats, Draft>;
  typed: Record<keyof typeof formats, readonly Typed[]>;
  /** Entries that nobody can read, in either language. */
  unread: readonly Draft[];
  /** How the field is left empty. */
  emptied: Typed;
}

const both = <T>(value: T) => ({ 'pt-BR': value, en: value });
const own = (key: string, kind: CustomField['kind'], more: Partial<CustomField> = {}): FieldSpec => ({ path: `custom.${key}`, kind, label: key, choices: [], required: false, ...more });
const plain = (path: string, kind: EditedKind, has: string, typed: string): Case => ({
  spec: { path, kind },
  has: { [path]: has } as Partial<Lead>,
  shown: both({ [path]: has }),
  typed: both([[{ [path]: ` ${typed} ` }, { [path]: typed }]]),
  unread: [],
  emptied: [{ [path]: '  ' }, { [path]: null }],
});

/** Every kind has a case: one that is added without fails the type check, and the test below. */
const CASES: Record<EditedKind, Case> = {
  text: plain('organisation', 'text', 'Engines', '1.500'),
  phone: plain('phone', 'phone', '+5511987654321', '11 98765-4321'),
  stage: plain('status', 'stage', 'new', 'contacted'),
  source: plain('source', 'source', 'web', 'fair'),
  person: plain('assigned_to', 'person', 'ana', 'bia'),
  email: { ...plain('email', 'email', 'ana@example.com', 'bia@example.com'), unread: [{ email: 'ana' }, { email: 'a b@c.com' }, { email: '1.500' }, { email: 'a@b.com?bcc=x@y.com' }] },
  url: {
    spec: own('site', 'url'),
    has: { custom: { site: 'https://example.com/a' } },
    shown: both({ 'custom.site': 'https://example.com/a' }),
    typed: both([[{ 'custom.site': 'http://example.com' }, { 'custom.site': 'http://example.com' }]]),
    unread: [{ 'custom.site': 'example.com' }, { 'custom.site': 'javascript:alert(1)' }, { 'custom.site': 'http://' }],
    emptied: [{ 'custom.site': '' }, { 'custom.site': null }],
  },
  money: {
    spec: { path: 'value', kind: 'money' },
    has: { value: '2500.00', currency: 'BRL' },
    shown: { 'pt-BR': { value: '2.500,00', currency: 'BRL' }, en: { value: '2,500.00', currency: 'BRL' } },
    typed: {
      'pt-BR': [
        [{ value: '1.500', currency: 'BRL' }, { value: '1500.00', currency: 'BRL' }],
        [{ value: 'R$ 1.234,56', currency: 'brl' }, { value: '1234.56', currency: 'BRL' }],
        [{ value: '12,5', currency: 'USD' }, { value: '12.50', currency: 'USD' }],
      ],
      en: [
        [{ value: '1,234.56', currency: 'BRL' }, { value: '1234.56', currency: 'BRL' }],
        [{ value: '1.5', currency: 'EUR' }, { value: '1.50', currency: 'EUR' }],
      ],
    },
    unread: [
      { value: 'abc', currency: 'BRL' },
      { value: '1.5.0', currency: 'BRL' },
      { value: '1,5,0', currency: 'BRL' },
      { value: '-5', currency: 'BRL' },
      { value: '', currency: 'BRL' }, // the currency would go unasked
      { value: '1500', currency: '' }, // and here another one would come
      { value: '1500', currency: 'R$' },
      { value: 'US$ 1500', currency: 'BRL' },
    ],
    emptied: [{ value: '', currency: '' }, { value: null, currency: null }],
  },
  score: {
    spec: { path: 'score', kind: 'score' },
    has: { score: 42 },
    shown: both({ score: '42' }),
    typed: both([[{ score: '7' }, { score: 7 }], [{ score: '0' }, { score: 0 }]]),
    unread: [{ score: 'seven' }, { score: '7,5' }, { score: '7.5' }, { score: '101' }, { score: '-1' }, { score: '1e1' }],
    emptied: [{ score: '' }, { score: null }],
  },
  number: {
    spec: own('seats', 'number'),
    has: { custom: { seats: 1234.5 } },
    shown: { 'pt-BR': { 'custom.seats': '1.234,5' }, en: { 'custom.seats': '1,234.5' } },
    typed: {
      'pt-BR': [[{ 'custom.seats': '1.500' }, { 'custom.seats': 1500 }], [{ 'custom.seats': '-0,125' }, { 'custom.seats': -0.125 }]],
      en: [[{ 'custom.seats': '1,500' }, { 'custom.seats': 1500 }], [{ 'custom.seats': '1.5' }, { 'custom.seats': 1.5 }]],
    },
    unread: [{ 'custom.seats': 'many' }, { 'custom.seats': '1.5.0' }, { 'custom.seats': '5 K' }, { 'custom.seats': 'NaN' }],
    emptied: [{ 'custom.seats': '' }, { 'custom.seats': null }],
  },
  date: {
    spec: own('since', 'date'),
    has: { custom: { since: '2026-03-04' } },
    shown: { 'pt-BR': { 'custom.since': '04/03/2026' }, en: { 'custom.since': '03/04/2026' } },
    typed: {
      'pt-BR': [[{ 'custom.since': '5/3/2026' }, { 'custom.since': '2026-03-05' }]],
      en: [[{ 'custom.since': '3/5/2026' }, { 'custom.since': '2026-03-05' }]],
    },
    unread: [{ 'custom.since': 'soon' }, { 'custom.since': '31/31/2026' }, { 'custom.since': '1/1/26' }],
    emptied: [{ 'custom.since': '' }, { 'custom.since': null }],
  },
  choice: {
    spec: own('plan', 'choice', { choices: ['pro', 'basic'] }),
    has: { custom: { plan: 'pro' } },
    shown: both({ 'custom.plan': 'pro' }),
    typed: both([[{ 'custom.plan': 'basic' }, { 'custom.plan': 'basic' }]]),
    unread: [],
    emptied: [{ 'custom.plan': '' }, { 'custom.plan': null }],
  },
  choices: {
    spec: own('tools', 'choices', { choices: ['a, b', 'c', 'd'] }),
    has: { custom: { tools: ['a, b'] } },
    shown: both({ 'custom.tools': ['a, b'] }),
    typed: both([[{ 'custom.tools': ['c', 'a, b'] }, { 'custom.tools': ['a, b', 'c'] }]]),
    unread: [],
    emptied: [{ 'custom.tools': [] }, { 'custom.tools': null }],
  },
  boolean: {
    spec: own('vip', 'boolean'),
    has: { custom: { vip: true } },
    shown: both({ 'custom.vip': 'true' }),
    typed: both([[{ 'custom.vip': 'false' }, { 'custom.vip': false }]]),
    unread: [],
    emptied: [{ 'custom.vip': '' }, { 'custom.vip': null }],
  },
  tags: {
    spec: { path: 'tags', kind: 'tags' },
    has: { tags: ['hot', 'vip'] },
    shown: both({ tags: 'hot, vip' }),
    typed: both([[{ tags: 'VIP; new  one, vip' }, { tags: ['new one', 'vip'] }]]),
    unread: [],
    emptied: [{ tags: ' , ' }, { tags: [] }],
  },
};

const LANGUAGES = Object.keys(formats) as (keyof typeof formats)[];
const cases = EDITED_KINDS.flatMap((kind) => LANGUAGES.map((language) => ({ kind, language })));
const context = (language: keyof typeof formats, lead: Lead | null) => ({ formats: formats[language], lead, currency: 'BRL' });

describe.each(cases)('a field of kind $kind in $language', ({ kind, language }) => {
  const { spec, has, shown, typed, unread, emptied } = CASES[kind];
  const lead = aLead(has);
  const read = (draft: Draft) => readDraft([spec], draft, context(language, lead));

  test('holds its value, and untouched it changes nothing', () => {
    const entries = entriesOf(spec, lead, formats[language]);

    expect(entries).toEqual(shown[language]);
    expect(read(entries).misread).toEqual({});
    expect(changesOf(lead, read(entries).values)).toEqual({});
  });

  test('takes what is typed', () => {
    for (const [entries, values] of typed[language]) {
      expect(read(entries)).toEqual({ values, misread: {} });
      expect(changesOf(lead, values)).toEqual(values);
    }
  });

  test('takes nothing for what nobody can read', () => {
    for (const entries of unread) {
      expect(read(entries).values).toEqual({});
      expect(Object.keys(read(entries).misread)).toEqual([spec.path]);
    }
  });

  test('is emptied by no text, unless it is required', () => {
    const [entries, values] = emptied;

    expect(read(entries)).toEqual({ values, misread: {} });
    if (kind !== 'tags') {
      expect(Object.keys(readDraft([{ ...spec, required: true }], entries, context(language, lead)).misread)).toEqual([spec.path]);
    }
  });

  test('keeps its meaning when the language changes', () => {
    const other = language === 'en' ? 'pt-BR' : 'en';
    for (const [entries, values] of typed[language]) {
      const rewritten = translated([spec], entries, formats[language], formats[other]);
      expect(readDraft([spec], rewritten, context(other, lead))).toEqual({ values, misread: {} });
    }
  });
});

test('every kind that the server has for fields of the company is edited', () => {
  const kinds: Record<CustomField['kind'], true> = { text: true, number: true, boolean: true, date: true, choice: true, choices: true, url: true };

  expect(EDITED_KINDS).toEqual(expect.arrayContaining(Object.keys(kinds)));
  expect(Object.keys(CASES).sort()).toEqual([...EDITED_KINDS].sort());
});

test('a new lead is sent without what was left empty, and with the currency that is meant', () => {
  const custom: CustomField[] = [{ key: 'seats', kind: 'number', label: 'Seats', choices: [], required: false, active: true, position: 0 }];
  const specs = [...STANDARD, ...ownSpecs(custom, null)];
  const draft = { ...draftOf(specs, null, PT), name: '  Ana ', status: 'new', phone: ' ', value: '1.500', 'custom.seats': '7' };

  const { values, misread } = readDraft(specs, draft, context('pt-BR', null));

  expect(misread).toEqual({});
  expect(inputOf(filled(values))).toEqual({ name: 'Ana', status: 'new', value: '1500.00', currency: 'BRL', custom: { seats: 7 } });
});

test('an amount names its own currency where none is chosen', () => {
  const money = CASES.money.spec;

  expect(readDraft([money], { value: 'US$ 1.500', currency: '' }, context('pt-BR', aLead())).values).toEqual({ value: '1500.00', currency: 'USD' });
  expect(translated([money], { value: 'US$ 1.500', currency: '' }, PT, EN)).toEqual({ value: 'USD 1,500.00', currency: '' });
});

test('what nobody touched is not judged by the rules of today', () => {
  const lead = aLead({ email: 'old@b.com?x', value: '0.50', currency: 'JPY' });
  const required: FieldSpec = { path: 'custom.plan', kind: 'text', required: true };
  const specs = [...STANDARD, required];
  const draft = { ...draftOf(specs, lead, EN), name: 'Ana' };

  expect(readDraft(specs, draft, context('en', lead))).toEqual({ values: { name: 'Ana' }, misread: {} });
});

test('an edit sends only what differs; an amount and its currency go together', () => {
  const lead = aLead({ name: 'Ana', value: '1500.00', currency: 'USD', tags: ['hot'] });
  const specs = STANDARD;
  const edit = (change: Draft) => changesOf(lead, readDraft(specs, { ...draftOf(specs, lead, EN), ...change }, context('en', lead)).values);

  expect(edit({})).toEqual({});
  expect(edit({ value: '1,500' })).toEqual({});
  expect(edit({ value: '1,600', tags: 'hot, VIP' })).toEqual({ value: '1600.00', currency: 'USD', tags: ['hot', 'vip'] });
  expect(edit({ currency: 'eur' })).toEqual({ value: '1500.00', currency: 'EUR' });
});
