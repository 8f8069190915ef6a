/** Builds the application: configuration, session, services, translations; hands them to the components. */

import { createApp } from 'vue';

import App from './App.vue';
import { createConfirm } from './composables/useConfirm';
import { createToasts } from './composables/useToasts';
import { loadConfig, type Config } from './config';
import { contextKey } from './context';
import { connectEcho } from './echo';
import { createTranslations } from './i18n';
import StartFailure from './layout/StartFailure.vue';
import { createApi } from './lib/api';
import { createDrafts } from './lib/drafts';
import { createFaults } from './lib/faults';
import { createHttp } from './lib/http';
import { randomUuid } from './lib/idempotency';
import { createTrace } from './lib/trace';
import { createUnsaved } from './lib/unsaved';
import { createAppRouter } from './router';
import { createSession } from './session';
import './styles/main.css';
import { startTheme } from './theme';

function build(config: Config) {
  const session = createSession(sessionStorage, localStorage);
  const trace = createTrace();
  const service = (baseUrl: string) =>
    createHttp({
      baseUrl,
      fetch: (...request) => fetch(...request),
      token: session.token,
      socketId: () => window.Echo?.socketId(),
      onUnauthorized: session.expire,
      onExchange: trace.asked,
    });
  const context = {
    config,
    api: createApi(service(config.apiUrl)),
    inbox: service(config.notifierUrl),
    session,
    toasts: createToasts(),
    trace,
    connect: () => connectEcho(config, session.token, trace),
    drafts: createDrafts(sessionStorage),
    unsaved: createUnsaved(),
    confirm: createConfirm(),
    faults,
  };
  const router = createAppRouter();
  router.onError((error) => faults.report('navigation', error));
  return createApp(App).provide(contextKey, context).use(router);
}

const faults = createFaults({ newId: randomUuid });
faults.watch(window);
startTheme();
const [app, translations] = await Promise.all([
  loadConfig().then(build, (error: unknown) => {
    console.error(error);
    return createApp(StartFailure);
  }),
  createTranslations(),
]);
app.config.errorHandler = (error, _component, where) => faults.report(where, error);
app.use(translations).mount('#app');
