/** Whether the window is narrow. The widths are those of the styles. */

import { onScopeDispose, readonly, ref } from 'vue';

export const PHONE = '(max-width: 760px)';
/** Where two columns become tabs. */
export const TABLET = '(max-width: 900px)';

export function useNarrow(query: string) {
  const media = matchMedia(query);
  const narrow = ref(media.matches);
  const onChange = ({ matches }: MediaQueryListEvent): void => {
    narrow.value = matches;
  };
  media.addEventListener('change', onChange);
  onScopeDispose(() => media.removeEventListener('change', onChange));
  return readonly(narrow);
}
