/** Refusals of the services (RFC 9457 problem details) and the lack of any answer, as exceptions with a status. */

import type { ProblemDetails } from '../types';

type Document = Partial<ProblemDetails> & Record<string, unknown>;

export class Problem extends Error {
  constructor(
    readonly status: number,
    /** All that the answer says, members of this kind of problem included. */
    readonly document: Document,
  ) {
    super(document.detail ?? document.title ?? `HTTP ${status}`);
  }

  /** Stays the same whatever the words are. */
  get code(): string {
    return this.document.code ?? '';
  }

  get correlationId(): string | null {
    return this.document.correlation_id ?? null;
  }

  /** The paths of what was refused: `email`, `custom.plan`. What the server says of them is English, and for developers. */
  get paths(): readonly string[] {
    return (this.document.errors ?? []).map(({ field, pointer }) => field ?? pathOf(pointer ?? ''));
  }
}

/** Of a JSON pointer (RFC 6901), its fragment form included. An item of a list is named by the list. */
function pathOf(pointer: string): string {
  const steps = pointer.replace(/^#/, '').split('/').slice(1);
  const names = steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  return names.slice(0, names[0] === 'custom' ? 2 : 1).join('.');
}

/** No answer came: offline, refused, or blocked by the browser. */
export class Unreachable extends Error {}

export function problemOf(status: number, contentType: string | null, body: string): Problem {
  const isProblem = contentType?.startsWith('application/problem+json') ?? false;
  return new Problem(status, isProblem ? (JSON.parse(body) as Document) : {});
}
