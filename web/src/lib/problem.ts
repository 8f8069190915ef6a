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

  /** Messages by field name; a pointer such as `/email` or `#/custom/plan` names the field by its last part. */
  get fields(): Record<string, string> {
    const errors = this.document.errors ?? [];
    return Object.fromEntries(errors.map(({ field, pointer, message }) => [field ?? pointer?.split('/').at(-1) ?? '', message]));
  }
}

/** No answer came: offline, refused, or blocked by the browser. */
export class Unreachable extends Error {}

export function problemOf(status: number, contentType: string | null, body: string): Problem {
  const isProblem = contentType?.startsWith('application/problem+json') ?? false;
  return new Problem(status, isProblem ? (JSON.parse(body) as Document) : {});
}
