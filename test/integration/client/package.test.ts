/** Builds the client library's package and uses it in a project of its own: with TypeScript, in Node, and in a browser. */
import { execFile } from "node:child_process";
import { globSync } from "node:fs";
import { mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { openDevice } from "../../support/client/devices.ts";
import { eventually } from "../../support/eventually.ts";
import { startBrowser, watchedPage } from "../../support/infrastructure/browser.ts";
import { factory, freshEmail } from "../../support/people/factory.ts";
import { Person } from "../../support/people/person.ts";
import { servePage } from "../../support/servers/page-server.ts";
import { startEmbedded, temporaryFolder } from "../../support/servers/server.ts";
import { describeWith } from "../../support/systems/describe-with.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const run = promisify(execFile);

const program = `
import { MemoryStorage, Parley, ParleyError, type Chat, type Heard, type MessageView, type Place, type Storage } from "parley-client";

const storage: Storage = new MemoryStorage();
const place: Place = { url: process.argv[2], storage };
const account = { emailId: process.argv[3]!, password: "Correct-Horse-7", firstName: "Ada", lastName: "Example" };
const parley = await Parley.signUp({ ...place, ...account });
await parley.online();
const chats: readonly Chat[] = parley.chats();
parley.on("message", (message: MessageView) => message satisfies Heard["receiveMessage"]);
const refusal: unknown = await parley.contacts.userIdOf("nobody@example.org").catch((error: unknown) => error);
console.log(parley.state, chats.length, refusal instanceof ParleyError && refusal.code);
await parley.close();
`;
const globals = "declare const process: { readonly argv: readonly string[] };\n";

let project: string;
let installed: string;
/** Runs a command. @throws Error  with what it printed */
const command = (cwd: string, file: string, ...options: readonly string[]) =>
  run(file, options, { cwd }).catch((error: unknown) => {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${stdout}\n${stderr}`, { cause: error });
  });

beforeAll(async () => {
  project = await temporaryFolder();
  installed = `${project}/node_modules/parley-client`;
  await command(`${root}client`, "npm", "pack", "--pack-destination", project);
  const { version } = await packageOf("client/");
  await mkdir(installed, { recursive: true });
  await command(project, "tar", "-xzf", `parley-client-${version}.tgz`, "-C", installed, "--strip-components=1");
  await symlink(`${root}node_modules/socket.io-client`, `${project}/node_modules/socket.io-client`);
  await writeFile(`${project}/package.json`, JSON.stringify({ type: "module" }));
  await writeFile(`${project}/program.ts`, program);
  await writeFile(`${project}/globals.d.ts`, globals);
});
afterAll(() => rm(project, { recursive: true }));

const packageOf = async (folder: "" | "client/") =>
  JSON.parse(await readFile(`${root}${folder}package.json`, "utf8")) as { version: string; dependencies: Record<string, string> };

test("it has the server's version, and the server's version of socket.io-client", async () => {
  const [server, client] = await Promise.all([packageOf(""), packageOf("client/")]);
  expect(client.version).toBe(server.version);
  expect(client.dependencies).toEqual({ "socket.io-client": server.dependencies["socket.io-client"] });
});

test("of the server it has the types of documents, and no code", async () => {
  const files = await readdir(`${installed}/dist`, { recursive: true });
  const server = files.filter((file) => /\.[jt]s$/.test(file) && !file.startsWith("client/"));
  const documents = globSync("services/*/documents.ts", { cwd: root }).map((file) => file.replace(/\.ts$/, ".d.ts"));
  expect(documents).toContain("services/chat/documents.d.ts");
  expect(server.sort()).toEqual(documents.sort());
});

test.each([
  ["nodenext", "nodenext"],
  ["bundler", "esnext"],
])("a program compiles against it with the module resolution %s", async (resolution, module) => {
  const options = ["--strict", "--skipLibCheck", "false", "--target", "es2024", "--lib", "es2024,dom"];
  const files = ["program.ts", "globals.d.ts"];
  const tsc = `${root}node_modules/typescript/bin/tsc`;
  await command(project, process.execPath, tsc, ...files, ...options, "--module", module, "--moduleResolution", resolution);
});

test("a program runs with it in Node", async () => {
  const server = await startEmbedded();
  const { stdout } = await command(project, process.execPath, "program.js", server.url, freshEmail());
  expect(stdout.trim()).toBe("online 0 NOT_FOUND");
  await server.stop();
});

test("it includes its README and the license", async () => {
  expect(await readFile(`${installed}/LICENSE`, "utf8")).toBe(await readFile(`${root}LICENSE`, "utf8"));
  expect(await readFile(`${installed}/README.md`, "utf8")).toContain("# parley-client");
});

describeWith(["chromium"], "Without a bundler", () => {
  test("the page of the README logs in, shows the messages of a chat, and receives a new one", async () => {
    const [, page] = /```html\n(.*?)```/s.exec(await readFile(`${installed}/README.md`, "utf8"))!;
    const files: Readonly<Record<string, string | undefined>> = { "/": page!, "/favicon.ico": "" };
    const pages = await servePage(async (path) => files[path] ?? readFile(project + path, "utf8"));
    const server = await startEmbedded({ env: { CORS_ORIGINS: "http://localhost:8080" } });
    const browser = await startBrowser({ "localhost:8080": pages.port, "localhost:3000": Number(new URL(server.url).port) });
    try {
      const ada = new Person(server.url, {
        firstName: "Ada",
        lastName: "Example",
        emailId: "ada@example.org",
        password: "Correct-Horse-7",
      });
      expect((await ada.signUp()).status).toBe(201);
      const people = factory(() => [server.url]);
      const friend = await people.person();
      await people.befriend(friend, ada);
      const ben = await openDevice(friend);
      const { _id } = await ben.groups.direct(ada.id);
      await ben.stored(ben.send(_id, "before the page"));

      const { page: tab, consoleProblems } = await watchedPage(browser, "http://localhost:8080", {});
      await tab.goto("http://localhost:8080");
      const shown = () => tab.locator("li").allTextContents();
      await eventually("the page shows the chat's message", async () => (await shown()).join() === "before the page");
      ben.send(_id, "after it");
      await eventually("the page shows the new message", async () => (await shown()).join() === "before the page,after it");
      expect(consoleProblems.filter((problem) => !problem.startsWith("another host: http://localhost:3000/"))).toEqual([]);
    } finally {
      await browser.close();
      await server.stop();
      pages.close();
    }
  });
});
