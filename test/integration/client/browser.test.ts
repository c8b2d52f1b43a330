/** Tests the client library in a real browser, on a page of another origin that loads nothing of Node or of the server. */
import { readFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Browser } from "playwright-core";
import type { Parley } from "../../../client/index.ts";
import { startBrowser } from "../../support/infrastructure/browser.ts";
import { openDevice, waitForView, texts } from "../../support/client/devices.ts";
import { eventually } from "../../support/eventually.ts";
import { factory } from "../../support/people/factory.ts";
import { describeWith } from "../../support/systems/describe-with.ts";
import { servePage, type PageServer } from "../../support/servers/page-server.ts";
import { startEmbedded, type EmbeddedServer } from "../../support/servers/server.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const socketIo = "/node_modules/socket.io-client/dist/socket.io.esm.min.js";
const page = `<!doctype html><title>A page</title>
<script type="importmap">{"imports": {"socket.io-client": "${socketIo}"}}</script>
<script type="module">import * as client from "/client/index.ts"; Object.assign(window, client, { isReady: true });</script>`;

/** The page, and the client's files with their types stripped. */
async function readPageFile(path: string): Promise<string> {
  if (path === "/") return page;
  const text = await readFile(root + path.slice(1), "utf8");
  return path.endsWith(".ts") ? stripTypeScriptTypes(text) : text;
}

/** The globals of the page. */
declare const window: { isReady?: boolean; parley: Parley; Parley: typeof Parley; LocalStorage: new (name: string) => never };

describeWith(["chromium"], "In a browser", () => {
  let server: EmbeddedServer;
  let pages: PageServer;
  let browser: Browser;
  let origin: string;
  beforeAll(async () => {
    pages = await servePage(readPageFile);
    origin = `http://127.0.0.1:${pages.port}`;
    [server, browser] = await Promise.all([startEmbedded({ env: { CORS_ORIGINS: origin } }), startBrowser()]);
  });
  afterAll(async () => {
    await browser.close();
    await server.stop();
    pages.close();
  });

  test("a user logs in, chats, reloads the page and resumes from localStorage; only client files are loaded", async () => {
    const { a, b, chatId } = await factory(() => [server.url]).pair();
    const ben = await openDevice(b);
    const tab = await browser.newPage();
    const pageErrors: string[] = [];
    tab.on("pageerror", ({ message }) => pageErrors.push(message));
    const open = async () => {
      await tab.goto(origin);
      await tab.waitForFunction(() => window.isReady === true);
    };
    const shown = () => tab.evaluate((chat) => window.parley.messages(chat).map(({ text, state }) => `${text} ${state}`), chatId);

    await open();
    await tab.evaluate(
      async ({ url, emailId, password }) => {
        window.parley = await window.Parley.logIn({ url, emailId, password, storage: new window.LocalStorage("test") });
        await window.parley.online();
      },
      { url: server.url, emailId: a.emailId, password: a.password },
    );
    await tab.evaluate((chat) => {
      window.parley.send(chat, "from the browser");
      window.parley.sendFile(chat, new Blob(["a file"], { type: "text/plain" }), { name: "file.txt", text: "a file" });
      return window.parley.allSent();
    }, chatId);
    await waitForView(ben, chatId, "both", (messages) => messages.length === 2);
    ben.send(chatId, "from Node");
    ben.markRead(chatId);
    await eventually("the browser shows it all", async () => (await shown()).join() === "from the browser read,a file read,from Node sent");

    await tab.evaluate(() => window.parley.close());
    await ben.stored(ben.send(chatId, "while the page was away"));
    await open();
    const countBeforeOnline = await tab.evaluate(
      async ({ url, chat }) => {
        window.parley = await window.Parley.resume({ url, storage: new window.LocalStorage("test") });
        const count = window.parley.messages(chat).length;
        await window.parley.online();
        return count;
      },
      { url: server.url, chat: chatId },
    );
    expect(countBeforeOnline).toBe(3);
    expect((await shown()).at(-1)).toBe("while the page was away sent");
    expect(texts(ben, chatId)).toHaveLength(4);
    expect(pageErrors).toEqual([]);
    const otherFiles = pages.requestedPaths.filter(
      (path) => path !== "/" && path !== "/favicon.ico" && path !== socketIo && !/^\/client\/(?:[\w-]+\/)*[\w-]+\.ts$/.test(path),
    );
    expect(otherFiles).toEqual([]);
  });
});
