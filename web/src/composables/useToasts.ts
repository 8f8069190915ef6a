/** Short messages that come and go by themselves. */

import { onScopeDispose, ref } from 'vue';

const MOST = 3;
const LIFETIME = 6_000; // ms

export interface Toast {
  id: number;
  text: string;
}

export function useToasts() {
  const toasts = ref<Toast[]>([]);
  const timers = new Map<number, ReturnType<typeof setTimeout>>();
  let lastId = 0;

  function dismiss(id: number): void {
    clearTimeout(timers.get(id));
    timers.delete(id);
    toasts.value = toasts.value.filter((toast) => toast.id !== id);
  }

  function add(text: string): void {
    const id = ++lastId;
    for (const { id: old } of toasts.value.slice(0, 1 - MOST)) {
      dismiss(old);
    }
    toasts.value.push({ id, text });
    timers.set(id, setTimeout(dismiss, LIFETIME, id));
  }

  onScopeDispose(() => timers.forEach(clearTimeout));
  return { toasts, add, dismiss };
}
