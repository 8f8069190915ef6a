/** Where the services are: asked from the page's own origin at start, so that one build serves every installation. */

export interface Config {
  /** Leads service, without trailing slash; '' when it shares the page's origin. */
  apiUrl: string;
  /** Notifier, likewise. */
  notifierUrl: string;
  appKey: string;
}

export async function loadConfig(): Promise<Config> {
  const response = await fetch('/config.json', { cache: 'no-store' });
  if (!response.ok) {
    throw new Error(`/config.json answered ${response.status}`);
  }
  const { apiUrl, notifierUrl, appKey } = (await response.json()) as Config;
  return { apiUrl: withoutSlash(apiUrl), notifierUrl: withoutSlash(notifierUrl), appKey };
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, '');
}
