/** Refusals of the api (RFC 9457 problem details) and the lack of any answer, as exceptions with a status. */

interface FieldError {
  field?: string;
  pointer?: string;
  message: string;
}

interface ProblemDocument {
  title?: string;
  detail?: string;
  correlation_id?: string;
  errors?: FieldError[];
}

export class Problem extends Error {
  constructor(
    readonly status: number,
    private readonly document: ProblemDocument,
  ) {
    super(document.detail ?? document.title ?? `HTTP ${status}`);
  }

  get correlationId(): string | null {
    return this.document.correlation_id ?? null;
  }

  /** Messages by field name; a pointer such as `/email` or `#/email` names the field by its last part. */
  get fields(): Record<string, string> {
    const errors = this.document.errors ?? [];
    return Object.fromEntries(errors.map(({ field, pointer, message }) => [field ?? pointer?.split('/').at(-1) ?? '', message]));
  }
}

/** No answer came: offline, refused, or blocked by the browser. */
export class Unreachable extends Error {}

export function problemOf(status: number, contentType: string | null, body: string): Problem {
  const isProblem = contentType?.startsWith('application/problem+json') ?? false;
  return new Problem(status, isProblem ? (JSON.parse(body) as ProblemDocument) : {});
}
