/** Links to an address, a number or a page that somebody entered: only where it is plainly one, and encoded. */

/** RFC 5322 dot-atoms without what RFC 6068 gives a meaning in a `mailto:`; letters of any language. */
const ADDRESS = /^[\p{L}\p{M}\p{N}!#$'*+/=^_`{|}~.-]+@[\p{L}\p{M}\p{N}.-]+$/u;
/** E.164, which is how the server keeps a number. */
const NUMBER = /^\+\d{2,15}$/;

/** Null for what is no plain e-mail address. */
export function mailLink(address: string): string | null {
  const [local, domain, ...rest] = address.split('@');
  return ADDRESS.test(address) && rest.length === 0 ? `mailto:${encodeURIComponent(local!)}@${encodeURIComponent(domain!)}` : null;
}

/** Null for what is no number in international form. */
export function phoneLink(number: string): string | null {
  return NUMBER.test(number) ? `tel:${number}` : null;
}

/** Null for what does not lead to a page: another scheme, a user name before the host, control characters. */
export function pageLink(text: string): string | null {
  if (!/^https?:\/\/[^\s\\]+$/i.test(text) || /[\p{C}]/u.test(text) || !URL.canParse(text)) {
    return null;
  }
  const { href, username, password } = new URL(text);
  return username === '' && password === '' ? href : null;
}
