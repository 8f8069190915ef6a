import fc from 'fast-check';
import { expect, test } from 'vitest';

import { mailLink, pageLink, phoneLink } from './links';

test.each([
  ['ana@example.com', 'mailto:ana@example.com'],
  ['ana.souza+crm@mail.example.com', 'mailto:ana.souza%2Bcrm@mail.example.com'],
  ["o'neil@example.com", "mailto:o'neil@example.com"],
  ['a#b/c@example.com', 'mailto:a%23b%2Fc@example.com'],
  ['joão@exemplo.com.br', 'mailto:jo%C3%A3o@exemplo.com.br'],
  ['ana@münchen.example', 'mailto:ana@m%C3%BCnchen.example'],
])('%s is linked as %s', (address, link) => {
  expect(mailLink(address)).toBe(link);
});

test.each([
  'a@b.com?bcc=x@y.com',
  'a@b.com&body=hello',
  'a@b.com%0d%0abcc:x@y.com',
  'a%0a@b.com',
  'a?cc=x@b.com',
  'a@b.com,x@y.com',
  'a@b.com;x@y.com',
  'a@b@c.com',
  '<a@b.com>',
  'a b@c.com',
  'a@b.com\r\nBcc: x@y.com',
  'a@b.com\u202e',
  'a\u200b@b.com',
  'a@b.com？bcc=x',
  'a@b.com#x',
  'a',
  '@',
  'a@',
  '',
])('%j gets no link', (address) => {
  expect(mailLink(address)).toBeNull();
});

test('a link to an address holds nothing but the address', () => {
  const typed = fc.string({ unit: fc.constantFrom(...'ab.@?&=%0dA,;:/#+ \n\u00e3'), minLength: 3, maxLength: 30 });
  fc.assert(
    fc.property(typed, (text) => {
      const link = mailLink(`a${text}@b.example`);
      if (link !== null) {
        expect(link).toMatch(/^mailto:[^?&:,;#\s]+$/);
        expect(decodeURIComponent(link)).toBe(`mailto:a${text}@b.example`);
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a number is linked in international form only', () => {
  expect(phoneLink('+5511987654321')).toBe('tel:+5511987654321');
  for (const number of ['11987654321', '+55 11 98765-4321', '*#06#', '+55;ext=1', '+5511987654321,9', 'javascript:alert(1)', '']) {
    expect(phoneLink(number)).toBeNull();
  }
});

test('a page is linked by http and https, and as it is', () => {
  expect(pageLink('https://example.com/a?b=c#d')).toBe('https://example.com/a?b=c#d');
  expect(pageLink('HTTP://Example.com')).toBe('http://example.com/');
  for (const text of [
    'javascript:alert(1)',
    'java\nscript:alert(1)',
    ' javascript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc/passwd',
    '//example.com',
    'example.com',
    'https://',
    'https://bank.example@evil.example/',
    'https:\\\\evil.example',
    'https://exa mple.com',
    'https://example.com/\u202egpj.exe',
    '',
  ]) {
    expect(pageLink(text)).toBeNull();
  }
});
