/** Whether the window is as narrow as a phone's. The same width as in the styles. */

import { onScopeDispose, readonly, ref } from 'vue';

export function useNarrow(query = '(max-width: 900px)') {
  const media = matchMedia(query);
  const narrow = ref(media.matches);
  const onChange = ({ matches }: MediaQueryListEvent): void => {
    narrow.value = matches;
  };
  media.addEventListener('change', onChange);
  onScopeDispose(() => media.removeEventListener('change', onChange));
  return readonly(narrow);
}
