/** Keys that let the server recognise a command sent twice. */

/** A version 4 UUID. `crypto.randomUUID` exists only in secure contexts, and a CRM on http://192.168.… is not one. */
export function randomUuid(source: Pick<Crypto, 'getRandomValues'> & { randomUUID?: () => string } = crypto): string {
  if (source.randomUUID) {
    return source.randomUUID();
  }
  const bytes = source.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40; // RFC 9562 §5.4: version
  bytes[8] = (bytes[8]! & 0x3f) | 0x80; // and variant
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** The same key for the same command tried again (the first answer may have been lost), a new one for any other. */
export function idempotencyKeys(newKey: () => string = randomUuid): (command: unknown) => string {
  let last = { command: '', key: '' };
  return (command) => {
    const text = JSON.stringify(command);
    if (text !== last.command) {
      last = { command: text, key: newKey() };
    }
    return last.key;
  };
}
