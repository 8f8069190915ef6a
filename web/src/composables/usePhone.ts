/** Whether the window is as narrow as a phone: the width at which the styles change too. */

import { onScopeDispose, readonly, ref } from 'vue';

export function usePhone() {
  const query = matchMedia('(max-width: 760px)');
  const isPhone = ref(query.matches);
  const onChange = (): void => {
    isPhone.value = query.matches;
  };
  query.addEventListener('change', onChange);
  onScopeDispose(() => query.removeEventListener('change', onChange));
  return readonly(isPhone);
}
