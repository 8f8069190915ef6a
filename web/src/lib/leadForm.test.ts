import { expect, test } from 'vitest';

import { aLead } from '../given';
import { creation, difference, draftOf } from './leadForm';

const ana = aLead({ name: 'Ana', email: 'ana@example.com', source: 'site', status: 'contacted', version: 4 });

test('a new lead is sent without what was left empty', () => {
  const draft = { ...draftOf(null), name: '  Ana ', phone: ' ' };

  expect(creation(draft)).toEqual({ name: 'Ana', status: 'new' });
});

test('an untouched form changes nothing', () => {
  expect(difference(ana, draftOf(ana))).toEqual({});
});

test('an edit sends only what differs, and null for what was emptied', () => {
  const draft = { ...draftOf(ana), email: '', phone: '+55 11 99999-0000', status: 'won' };

  expect(difference(ana, draft)).toEqual({ email: null, phone: '+55 11 99999-0000', status: 'won' });
});
