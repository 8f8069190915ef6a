import { expect, test } from 'vitest';

import { EDITED_KINDS } from '../lib/fields';
import en from './en';
import pt from './pt-BR';

interface Words {
  [key: string]: string | Words;
}

/** Every text by its key: `misread.number`. */
function texts(words: Words, prefix = ''): [string, string][] {
  return Object.entries(words).flatMap(([key, value]) => (typeof value === 'string' ? [[prefix + key, value] as [string, string]] : texts(value, `${prefix}${key}.`)));
}

const english = new Map(texts(en as Words));
const portuguese = new Map(texts(pt as Words));
const parameters = (text: string): string[] => [...new Set([...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!))].sort();

test('both languages have the same texts with the same parameters', () => {
  expect([...portuguese.keys()].sort()).toEqual([...english.keys()].sort());
  for (const [key, text] of english) {
    expect([key, parameters(portuguese.get(key)!)]).toEqual([key, parameters(text)]);
  }
});

test('what a form says is no English in Portuguese', () => {
  const sections = ['misread.', 'invalid.', 'refusal.', 'error.', 'unsaved.', 'login.'];
  for (const [key, text] of portuguese) {
    if (sections.some((section) => key.startsWith(section))) {
      expect([key, text]).not.toEqual([key, english.get(key)]);
    }
  }
});

test('a field of any kind can be refused in words', () => {
  expect(Object.keys(en.invalid).sort()).toEqual([...EDITED_KINDS].sort());
});
