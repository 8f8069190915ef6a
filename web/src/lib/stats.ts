/** Figures come by REST and by push, in no fixed order; the feed position decides which are newer, within an epoch of the log. */

export function newer<T extends { position: number; epoch?: string | null }>(current: T | null, incoming: T): T {
  const isSameEpoch = (current?.epoch ?? null) === (incoming.epoch ?? null);
  return current !== null && isSameEpoch && incoming.position <= current.position ? current : incoming;
}
