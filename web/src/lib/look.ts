/** How things without a look of their own are shown: tones of stages and people, initials. */

export const TONES = ['blue', 'violet', 'amber', 'cyan', 'pink', 'indigo', 'green', 'grey'] as const;

export type Tone = (typeof TONES)[number];

const OPEN_STAGES: readonly Tone[] = ['blue', 'amber', 'violet', 'cyan', 'pink', 'indigo'];

/** Won is green and lost is grey wherever they stand; open stages take turns. */
export function stageTone(kind: 'open' | 'won' | 'lost', index: number): Tone {
  switch (kind) {
    case 'won':
      return 'green';
    case 'lost':
      return 'grey';
    case 'open':
      return OPEN_STAGES[index % OPEN_STAGES.length]!;
  }
}

/** Always the same tone for the same id. */
export function toneOf(id: string): Tone {
  let sum = 0;
  for (const letter of id) {
    sum = (sum * 31 + letter.codePointAt(0)!) % 9973;
  }
  return TONES[sum % TONES.length]!;
}

/** The first letters of the first and the last word. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const chosen = words.length > 1 ? [words[0]!, words.at(-1)!] : words;
  return chosen.map((word) => [...word][0]!.toLocaleUpperCase()).join('');
}
