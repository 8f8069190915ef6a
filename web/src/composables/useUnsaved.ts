/** Nothing that was typed goes unasked: by another page, a closed tab, a closed dialog, or somebody signing out. */

import { onScopeDispose } from 'vue';
import { useI18n } from 'vue-i18n';
import { useRouter } from 'vue-router';

import { useContext } from '../context';

/** Ask whether what was typed may go. `isKept`: it comes back as a draft. */
export function useAsking() {
  const { confirm } = useContext();
  const { t } = useI18n();
  return (reason: 'drop' | 'leave' | 'keep' | 'signOut'): Promise<boolean> =>
    confirm.ask({ title: t(`unsaved.${reason}.title`), text: t(`unsaved.${reason}.text`), yes: t(`unsaved.${reason}.yes`), no: t(`unsaved.${reason}.no`) });
}

/** Watch over the ways out of the page, once for the application. */
export function useExits(): void {
  const { drafts, session, unsaved } = useContext();
  const ask = useAsking();
  const router = useRouter();

  const stop = router.beforeEach((to, from) => to.path === from.path || !unsaved.any() || ask(unsaved.isKept() ? 'keep' : 'leave'));

  function onLeaving(event: BeforeUnloadEvent): void {
    const { user } = session.login.value ?? {};
    if (unsaved.any() || (user !== undefined && drafts.of(user).any())) {
      event.preventDefault(); // the browser asks
    }
  }

  window.addEventListener('beforeunload', onLeaving);
  onScopeDispose(() => {
    stop();
    window.removeEventListener('beforeunload', onLeaving);
  });
}
