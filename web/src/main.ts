/** Builds the application: configuration, session, services, translations; hands them to the components. */

import { createApp } from 'vue';

import App from './App.vue';
import { createToasts } from './composables/useToasts';
import { loadConfig, type Config } from './config';
import { contextKey } from './context';
import { connectEcho } from './echo';
import { createTranslations } from './i18n';
import StartFailure from './layout/StartFailure.vue';
import { createApi } from './lib/api';
import { createHttp } from './lib/http';
import { createTrace } from './lib/trace';
import { createAppRouter } from './router';
import { createSession } from './session';
import './styles/main.css';
import { startTheme } from './theme';

function build(config: Config) {
  const session = createSession(sessionStorage);
  const trace = createTrace();
  const service = (baseUrl: string) =>
    createHttp({
      baseUrl,
      fetch: (...request) => fetch(...request),
      token: () => session.login.value?.access_token ?? null,
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
    connect: (token: string) => connectEcho(config, token, trace),
  };
  return createApp(App).provide(contextKey, context).use(createAppRouter());
}

startTheme();
const [app, translations] = await Promise.all([
  loadConfig().then(build, (error: unknown) => {
    console.error(error);
    return createApp(StartFailure);
  }),
  createTranslations(),
]);
app.use(translations).mount('#app');
