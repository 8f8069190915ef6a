/** From a company's figures to what the dashboard draws. */

import type { Tone } from '../lib/look';
import type { PositionedStats } from '../types';

export interface Bar {
  key: string;
  label: string;
  count: number;
  /** Of the longest one, 0 to 1. */
  share: number;
  tone?: Tone;
}

/** Longest first; what is left of the total, as the last one. */
export function bars(counts: Readonly<Record<string, number>>, label: (key: string) => string, rest?: { label: string; total: number }): readonly Bar[] {
  const known = Object.entries(counts).filter(([, count]) => count > 0);
  const without = rest === undefined ? 0 : rest.total - known.reduce((sum, [, count]) => sum + count, 0);
  const rows = known
    .map(([key, count]) => ({ key, label: label(key), count }))
    .sort((one, other) => other.count - one.count || one.label.localeCompare(other.label));
  if (without > 0) {
    rows.push({ key: '', label: rest!.label, count: without });
  }
  const longest = Math.max(1, ...rows.map(({ count }) => count));
  return rows.map((row) => ({ ...row, share: row.count / longest }));
}

export interface Step extends Bar {
  /** Of those who came to the stage before, 0 to 1 or more; null where there is none before. */
  rate: number | null;
  medianSeconds: number | null;
  now: number;
}

/** The stages that a lead goes through, in order, without the lost ones. */
export function funnel(stats: PositionedStats, stages: readonly { key: string; name: string; kind: string; tone: Tone }[]): readonly Step[] {
  const byKey = new Map(stats.funnel.map((entry) => [entry.stage, entry]));
  const shown = stages.filter(({ kind }) => kind !== 'lost');
  const longest = Math.max(1, ...shown.map(({ key }) => byKey.get(key)?.entered ?? 0));
  return shown.map(({ key, name, tone }) => {
    const entry = byKey.get(key);
    const count = entry?.entered ?? 0;
    return {
      key,
      label: name,
      tone,
      count,
      share: count / longest,
      rate: entry?.rate ?? null,
      medianSeconds: entry?.median_seconds ?? null,
      now: stats.by_status[key] ?? 0,
    };
  });
}

/** By how much this month's is more than last month's; null when nothing can be said. */
export function growth({ new_this_month: now, new_last_month: before }: PositionedStats): number | null {
  return before === 0 ? null : now / before - 1;
}

const UNITS = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
] as const;

/** A length of time in the largest unit that it fills. */
export function lengthOf(seconds: number, locale: string): string {
  const [unit, size] = UNITS.find(([, one]) => seconds >= one) ?? UNITS[3];
  return new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: 0 }).format(seconds / size);
}
