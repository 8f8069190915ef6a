import { expect, test } from 'vitest';

import { preferredLocale } from './i18n';

test.each([
  [null, ['pt-PT', 'en'], 'pt-BR'],
  [null, ['PT'], 'pt-BR'],
  [null, ['de', 'en-GB', 'pt'], 'en'],
  [null, ['fr', 'pt'], 'pt-BR'],
  [null, ['de'], 'en'],
  [null, [], 'en'],
  ['en', ['pt-BR'], 'en'],
  ['xx', ['pt-BR'], 'pt-BR'],
])('remembering %s, a browser that speaks %j is shown %s', (remembered, browser, shown) => {
  expect(preferredLocale(remembered, browser)).toBe(shown);
});
