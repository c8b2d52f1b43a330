/** Starts a real browser, and opens pages that record what a user's console would show. */
import { mkdirSync } from "node:fs";
import { chromium, type Browser, type BrowserContextOptions, type Page } from "playwright-core";
import { chromiumPath } from "./infra.ts";

const flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
/** The folder of the screenshots; git ignores it. */
const folder = "coverage/screenshots";

export const desktop = { viewport: { width: 1280, height: 900 } } as const;
export const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true } as const;

/** @param ports  the port of this machine that the browser connects to instead of each `host:port` */
export function startBrowser(ports: Readonly<Record<string, number>> = {}): Promise<Browser> {
  const rules = Object.entries(ports).map(([address, port]) => `MAP ${address} 127.0.0.1:${port}`);
  const args = [...flags, `--host-resolver-rules=${rules.join(",")}`];
  return chromium.launch({ executablePath: chromiumPath(), args, timeout: 120_000 });
}

/** A page with its problems: console messages, errors, and requests that failed or went to another host. */
export interface WatchedPage {
  readonly page: Page;
  readonly consoleProblems: readonly string[];
}

export async function watchedPage(browser: Browser, origin: string, options: BrowserContextOptions): Promise<WatchedPage> {
  const page = await browser.newPage(options);
  const problems: string[] = [];
  page.on("console", (message) => problems.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
  page.on("requestfailed", (request) => problems.push(`failed: ${request.url()}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(`${origin}/`)) problems.push(`another host: ${request.url()}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 400) problems.push(`${response.status()}: ${response.url()}`);
  });
  return { page, consoleProblems: problems };
}

/** Saves a screenshot of the page. */
export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: `${folder}/${name}.png` });
}
