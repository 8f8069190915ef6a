/** `@Ana Souza` in a message, and the people it names. */

export interface Named {
  id: string;
  name: string;
}

/** The ids of those whom a text mentions: `@` and the whole name, case left aside. The longest name that fits counts. */
export function mentioned(text: string, people: readonly Named[]): string[] {
  const byLength = [...people].sort((one, other) => other.name.length - one.name.length);
  const found = new Set<string>();
  for (const { index } of text.matchAll(/@/g)) {
    const rest = text.slice(index + 1).toLocaleLowerCase();
    const person = byLength.find(({ name }) => rest.startsWith(name.toLocaleLowerCase()));
    if (person) {
      found.add(person.id);
    }
  }
  return [...found];
}

/** What is being typed after an `@` that ends the text before the cursor, or null. */
export function mentionQuery(before: string): string | null {
  return /(?:^|\s)@([^@\n]{0,30})$/u.exec(before)?.[1] ?? null;
}

export function suggested(query: string, people: readonly Named[]): readonly Named[] {
  const wanted = query.toLocaleLowerCase();
  return people.filter(({ name }) => name.toLocaleLowerCase().split(' ').some((_, index, words) => words.slice(index).join(' ').startsWith(wanted))).slice(0, 5);
}
