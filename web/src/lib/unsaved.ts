/** Who has to be asked before what was typed goes: open forms report themselves, whoever leaves asks here. */

export interface Form {
  /** Whether something was typed that would be missed. */
  isDirty: () => boolean;
  /** Whether a draft of it stays when the page is left. */
  isKept: boolean;
}

export type Unsaved = ReturnType<typeof createUnsaved>;

export function createUnsaved() {
  const forms = new Set<Form>();
  const dirty = (): Form[] => [...forms].filter(({ isDirty }) => isDirty());

  return {
    /** Report a form until the returned function is called. */
    watch(form: Form): () => void {
      forms.add(form);
      return () => void forms.delete(form);
    },
    any: (): boolean => dirty().length > 0,
    /** Whether all that is dirty comes back as a draft. */
    isKept: (): boolean => dirty().every(({ isKept }) => isKept),
  };
}
