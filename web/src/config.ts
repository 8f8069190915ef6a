/** Where the services are: asked from the page's own origin at start, so that one build serves every installation. */

export interface Config {
  /** Leads service, without trailing slash; '' when it shares the page's origin. */
  apiUrl: string;
  appKey: string;
}

export async function loadConfig(): Promise<Config> {
  const response = await fetch('/config.json', { cache: 'no-store' });
  if (!response.ok) {
    throw new Error(`/config.json answered ${response.status}`);
  }
  const { apiUrl, appKey } = (await response.json()) as Config;
  return { apiUrl: apiUrl.replace(/\/+$/, ''), appKey };
}
