/**
 * What somebody has typed and not sent: kept for this tab until it is sent or dropped, so that it survives another page, a
 * reload and a session that ends. Each user of each company has drafts of their own; nobody is shown another's.
 */

const PREFIX = 'leadwire.draft.';

/** Whose drafts. */
export interface Owner {
  id: string;
  company_id: string;
}

export type Drafts = ReturnType<typeof createDrafts>;

/** `storage` lives as long as the tab: nothing stays on a shared machine when it is closed. */
export function createDrafts(storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>) {
  /** What storage had no room for is kept until the page is left. */
  const memory = new Map<string, string>();

  const keys = (): string[] => {
    const stored = Array.from({ length: storage.length }, (_, index) => storage.key(index)!);
    return [...new Set([...stored.filter((key) => key.startsWith(PREFIX)), ...memory.keys()])];
  };

  function remove(key: string): void {
    memory.delete(key);
    storage.removeItem(key);
  }

  function put(key: string, text: string): void {
    try {
      storage.setItem(key, text);
      memory.delete(key);
    } catch {
      memory.set(key, text); // full, or forbidden
    }
  }

  return {
    /** Forget everybody's: somebody signs out. */
    clear: (): void => keys().forEach(remove),

    of({ company_id, id }: Owner) {
      const mine = `${PREFIX}${company_id}.${id}.`;
      return {
        /** Null when there is none, or when it is not in this version's form. */
        read<T>(name: string, isOne: (value: unknown) => value is T): T | null {
          const text = memory.get(mine + name) ?? storage.getItem(mine + name);
          if (text === null) {
            return null;
          }
          try {
            const value: unknown = JSON.parse(text);
            return isOne(value) ? value : null;
          } catch {
            return null; // not written by us
          }
        },
        write: (name: string, value: unknown): void => put(mine + name, JSON.stringify(value)),
        remove: (name: string): void => remove(mine + name),
        any: (): boolean => keys().some((key) => key.startsWith(mine)),
      };
    },
  };
}

export type OwnDrafts = ReturnType<Drafts['of']>;
