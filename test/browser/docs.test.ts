/** The API documentation page in a real browser: on a desktop and a phone, in light and dark colours. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Browser } from "playwright-core";
import { desktop, phone, screenshot, startBrowser, watchedPage } from "../support/infrastructure/browser.ts";
import { describeWith } from "../support/systems/describe-with.ts";
import { startEmbedded, type EmbeddedServer } from "../support/servers/server.ts";

describeWith(["chromium"], "/docs", () => {
  let server: EmbeddedServer;
  let browser: Browser;
  beforeAll(async () => {
    // With rate limits on: the page must work within a visitor's limits.
    [server, browser] = await Promise.all([startEmbedded({ env: { LIMITS: "on" } }), startBrowser()]);
  });
  afterAll(async () => {
    await Promise.all([browser.close(), server.stop()]);
  });

  test.each([
    ["a desktop, light", desktop, "light"],
    ["a desktop, dark", desktop, "dark"],
    ["a phone, light", phone, "light"],
    ["a phone, dark", phone, "dark"],
  ] as const)("fits and is readable on %s, with no message in the console", async (name, device, colorScheme) => {
    const { page, consoleProblems } = await watchedPage(browser, server.url, { ...device, colorScheme });
    await page.goto(`${server.url}/docs`);
    await screenshot(page, `docs on ${name}`);
    expect(await page.locator("h1").innerText()).toBe("Parley API");
    expect(await page.locator(".entry").count()).toBeGreaterThan(40);

    await page.goto(`${server.url}/docs#postChatMessages`);
    await page.locator("#postChatMessages[open] .fields").first().waitFor();
    await screenshot(page, `docs of a route on ${name}`);
    await page.goto(`${server.url}/docs#schema-Message`);
    await page.locator("#schema-Message[open]").waitFor();
    await screenshot(page, `docs of a schema on ${name}`);

    await page.evaluate("for (const entry of document.querySelectorAll('.entry')) entry.open = true");
    const overflow = await page.evaluate<number>("document.documentElement.scrollWidth - document.documentElement.clientWidth");
    expect(overflow).toBe(0);
    expect(consoleProblems).toEqual([]);
    await page.close();
  });

  test("shows only the entries that match a search", async () => {
    const { page, consoleProblems } = await watchedPage(browser, server.url, desktop);
    await page.goto(`${server.url}/docs`);
    await page.keyboard.press("/");
    await page.keyboard.type("post sync");
    expect(await page.locator(".entry:visible").evaluateAll((entries) => entries.map(({ id }) => id))).toEqual(["postChatSync"]);
    expect(await page.locator("nav li:visible").count()).toBe(1);
    await page.keyboard.type(" and what is not there");
    await page.getByText("No entries match your search.").waitFor();
    await page.keyboard.press("Escape");
    expect(await page.locator(".overview").isVisible()).toBe(true);
    expect(consoleProblems).toEqual([]);
    await page.close();
  });

  test("has a working link to each entry and from each type's name to the type", async () => {
    const { page } = await watchedPage(browser, server.url, desktop);
    await page.goto(`${server.url}/docs`);
    const dead = await page.evaluate(
      "[...document.querySelectorAll('a[href^=\"#\"]')].map((link) => link.hash.slice(1)).filter((id) => document.getElementById(id) === null)",
    );
    expect(dead).toEqual([]);
    await page.locator("nav a", { hasText: "/auth/login" }).click();
    await page.locator("#postAuthLogin[open]").waitFor();
    await page.close();
  });

  test("is readable without JavaScript", async () => {
    const { page } = await watchedPage(browser, server.url, { ...desktop, javaScriptEnabled: false });
    await page.goto(`${server.url}/docs`);
    await page.locator("#postAuthLogin > summary").click();
    await page.locator("#postAuthLogin[open] .fields").first().waitFor();
    expect(await page.locator("#search").isVisible()).toBe(false);
    await page.close();
  });
});
