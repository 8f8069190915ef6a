import { expect, test } from 'vitest';

import { aLead } from '../given';
import type { CustomField } from '../types';
import { creation, difference, draftOf } from './leadForm';

const own = (key: string, kind: CustomField['kind']): CustomField => ({ key, kind, label: key, choices: [], required: false, active: true, position: 0 });
const CUSTOM = [own('plan', 'choice'), own('seats', 'number'), own('tools', 'choices'), own('vip', 'boolean')];
const ana = aLead({
  name: 'Ana',
  email: 'ana@example.com',
  status: 'contacted',
  value: '1500.00',
  currency: 'BRL',
  tags: ['hot', 'vip'],
  custom: { plan: 'pro', seats: 5, tools: ['a'], vip: true },
  version: 4,
});

test('a new lead is sent without what was left empty', () => {
  const draft = { ...draftOf(null, CUSTOM, 'new'), name: '  Ana ', phone: ' ', 'custom.seats': '7' };

  expect(creation(draft, CUSTOM)).toEqual({ name: 'Ana', status: 'new', custom: { seats: 7 } });
});

test('an untouched form changes nothing', () => {
  expect(difference(ana, draftOf(ana, CUSTOM, 'new'), CUSTOM)).toEqual({});
});

test('an edit sends only what differs, and null for what was emptied', () => {
  const draft = { ...draftOf(ana, CUSTOM, 'new'), email: '', phone: '+55 11 99999-0000', value: '1500', tags: 'VIP, new one', 'custom.tools': [] };

  expect(difference(ana, draft, CUSTOM)).toEqual({ email: null, phone: '+55 11 99999-0000', tags: ['new one', 'vip'], custom: { tools: null } });
});
