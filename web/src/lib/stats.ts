/** Figures come by REST and by push, in no fixed order; the feed position decides which are newer. */

export function newer<T extends { position: number }>(current: T | null, incoming: T): T {
  return current !== null && incoming.position <= current.position ? current : incoming;
}
