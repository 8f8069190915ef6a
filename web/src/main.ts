/** Builds the application: configuration, session, api, translations; hands them to the components. */

import { createApp } from 'vue';

import App from './App.vue';
import StartFailure from './components/StartFailure.vue';
import { loadConfig, type Config } from './config';
import { contextKey } from './context';
import { connectEcho } from './echo';
import { createTranslations } from './i18n';
import { createApi } from './lib/api';
import { createSession } from './session';
import './styles/main.css';

function build(config: Config) {
  const session = createSession(sessionStorage);
  const api = createApi({
    baseUrl: config.apiUrl,
    fetch: (...request) => fetch(...request),
    token: () => session.login.value?.access_token ?? null,
    socketId: () => window.Echo?.socketId(),
    onUnauthorized: session.expire,
  });
  const connect = (token: string) => connectEcho(config, token);
  return createApp(App).provide(contextKey, { api, session, connect });
}

const app = await loadConfig().then(build, (error: unknown) => {
  console.error(error);
  return createApp(StartFailure);
});
app.use(createTranslations()).mount('#app');
