/** Short messages that come and go by themselves. */

import { readonly, ref } from 'vue';

const MOST = 3;
const LIFETIME = 6_000; // ms
const LIFETIME_WITH_ACTION = 10_000;

export interface Toast {
  id: number;
  text: string;
  kind: 'info' | 'success' | 'error';
  action?: { label: string; run: () => void };
}

export type Toasts = ReturnType<typeof createToasts>;

export function createToasts() {
  const toasts = ref<Toast[]>([]);
  const timers = new Map<number, ReturnType<typeof setTimeout>>();
  let lastId = 0;

  function dismiss(id: number): void {
    hold(id);
    toasts.value = toasts.value.filter((toast) => toast.id !== id);
  }

  /** Somebody reads it: it stays until released. */
  function hold(id: number): void {
    clearTimeout(timers.get(id));
    timers.delete(id);
  }

  function release(id: number): void {
    hold(id);
    const toast = toasts.value.find((one) => one.id === id);
    if (toast) {
      timers.set(id, setTimeout(dismiss, toast.action ? LIFETIME_WITH_ACTION : LIFETIME, id));
    }
  }

  function add(text: string, options: Partial<Pick<Toast, 'kind' | 'action'>> = {}): void {
    const id = ++lastId;
    for (const { id: old } of toasts.value.slice(0, 1 - MOST)) {
      dismiss(old);
    }
    toasts.value = [...toasts.value, { kind: 'info', ...options, id, text }];
    release(id);
  }

  function act(id: number): void {
    toasts.value.find((toast) => toast.id === id)?.action?.run();
    dismiss(id);
  }

  return { shown: readonly(toasts), add, dismiss, act, hold, release };
}
