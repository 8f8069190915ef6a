// The page of examples/laravel: its echo.js and composable as they are, put together by Vite with the example's .env, in a
// Vue without a document. Prints what the page shows, one JSON object a line; a line on its input ends it.
// Usage: node laravel-app.mjs '{"port", "app": {"id", "key", "secret"}, "company"}'; with "auth", the address where Laravel itself signs

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import PusherServer from "pusher";

const { port, app, company, auth } = JSON.parse(process.argv[2]);
const say = (what, detail = {}) => console.log(JSON.stringify({ what, ...detail }));
const here = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const from = (project, name) => import(pathToFileURL(createRequire(here(`${project}/package.json`)).resolve(name)));

// Signs as LeadwireBroadcaster does; PHP is not on every machine.
const backend = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const form = new URLSearchParams(body);
  const channel = form.get("channel_name");
  const heard = JSON.parse(form.get("leadwire"));
  const server = new PusherServer({ appId: app.id, key: app.key, secret: app.secret, cluster: "mt1" });
  const data = { user_id: "7", leadwire: { ...heard.positions[channel], except: heard.except } };
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify(server.authorizeChannel(form.get("socket_id"), channel, data)));
});
await new Promise((ready) => backend.listen(0, "127.0.0.1", ready));

const values = {
  PUSHER_APP_ID: app.id,
  PUSHER_APP_KEY: app.key,
  PUSHER_APP_SECRET: app.secret,
  PUSHER_PORT: port,
  VITE_BROADCASTING_AUTH: auth ?? `http://127.0.0.1:${backend.address().port}/broadcasting/auth`,
};
const shipped = await readFile(here("examples/laravel/.env.example"), "utf8");
const filled = Object.entries(values).reduce(
  (text, [name, value]) => `${text.replace(new RegExp(`^${name}=.*$`, "m"), "")}\n${name}=${value}`,
  shipped,
);
const envDir = await mkdtemp(join(tmpdir(), "laravel-env-"));
await writeFile(join(envDir, ".env"), filled);

const { createRenderer, h, ref, watch } = await from("examples", "vue"); // it asks for a document when it is loaded
globalThis.window = globalThis;
globalThis.document = { querySelector: () => ({ content: "csrf", getAttribute: () => "csrf" }) };

const { createServer: createVite } = await from("web", "vite");
const vite = await createVite({
  root: here("examples/laravel"),
  envDir,
  configFile: false,
  appType: "custom",
  logLevel: "error",
  optimizeDeps: { noDiscovery: true },
  server: { middlewareMode: true, hmr: false, ws: false, watch: null },
});
await vite.ssrLoadModule("/resources/js/echo.js");
const { useLeadsRealtime } = await vite.ssrLoadModule("/resources/js/composables/useLeadsRealtime.js");
await rm(envDir, { recursive: true });

let loads = 0;
const useLeads = () => {
  const leads = ref({ data: [] });
  const stats = ref({ total: 0, new_this_month: 0 });
  const loadLeads = () => say("loads", { times: ++loads });
  return { leads, stats, loadLeads, kept: "what else useLeads returns" };
};
const nothing = () => ({});
const { createApp } = createRenderer({
  createElement: nothing, createText: nothing, createComment: nothing, insert: nothing, remove: nothing,
  setText: nothing, setElementText: nothing, patchProp: nothing, parentNode: nothing, nextSibling: () => null,
});
const page = createApp({
  setup() {
    const { leads, stats, kept } = useLeadsRealtime(useLeads({ autoRefresh: false }), company);
    watch([leads, stats], () => say("shows", { leads: leads.value.data, stats: stats.value, kept }), { deep: true, flush: "sync" });
    return () => h("p");
  },
});
page.mount({});

process.stdin.once("data", () => {
  page.unmount();
  say("left", { channels: Object.keys(window.Echo.connector.channels) });
});
