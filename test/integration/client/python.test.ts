/** Tests the Python example of docs/protocol.md: it chats with the library while the server is killed. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "@jest/globals";
import type { Message } from "../../../client/index.ts";
import { openDevice, waitForView } from "../../support/client/devices.ts";
import { eventually, within } from "../../support/eventually.ts";
import { factory } from "../../support/people/factory.ts";
import { pythonPath } from "../../support/infrastructure/infra.ts";
import { describeWith } from "../../support/systems/describe-with.ts";
import type { Person } from "../../support/people/person.ts";
import { freePort, startEmbedded, temporaryFolder, type EmbeddedServer } from "../../support/servers/server.ts";

const program = fileURLToPath(new URL("../../../docs/examples/chat.py", import.meta.url));
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

const started: ChildProcess[] = [];
let server: EmbeddedServer;
afterAll(async () => {
  for (const child of started) child.kill("SIGKILL");
  await server.stop();
});

/** Starts the program, and collects what it prints. */
function startChat({ url, emailId, password }: Person, chatId: string) {
  const child = spawn(pythonPath(), [program, url, emailId, password, chatId], { stdio: ["pipe", "pipe", "inherit"] });
  started.push(child);
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  const exited = once(child, "exit");
  return {
    printed: () => output.split("\n").slice(0, -1),
    write: (line: string) => void child.stdin.write(`${line}\n`),
    /** @returns its exit code */
    async end(): Promise<number> {
      child.stdin.end();
      const [code] = await within(60_000, "the program ended at the end of its input", exited);
      return code;
    },
  };
}

describeWith(["python"], "the example in Python", () => {
  test("prints every message once and in order, and sends every line, over two kills of the server", async () => {
    const [dataDir, port] = [await temporaryFolder(), await freePort()];
    server = await startEmbedded({ dataDir, port });
    const { members, chatId } = await factory(() => [server.url]).group(3);
    const [ada, ben, cleo] = members as [Person, Person, Person];
    const library = await openDevice(cleo);
    const programs = [startChat(ada, chatId), startChat(ben, chatId)];
    const writers = [...programs.map(({ write }) => write), (line: string) => void library.send(chatId, line)];
    const written: string[][] = writers.map(() => []);
    const write = (index: number, count: number) =>
      numbers(count).forEach(() => {
        const line = `${index}-${written[index]!.length} žluť 👍`;
        written[index]!.push(line);
        writers[index]!(line);
      });
    const everyoneWrites = (count: number) => writers.forEach((_, index) => write(index, count));
    const everyoneHas = async (count: number) => {
      await eventually(`${count} lines are printed`, () => programs.every(({ printed }) => printed().length >= count), 120_000);
      await waitForView(library, chatId, `${count} messages`, (messages) => messages.length >= count);
    };

    let count = 1;
    await everyoneHas(count);
    for (let kill = 1; kill <= 2; kill++) {
      everyoneWrites(25);
      await eventually("some lines are printed", () => programs.every(({ printed }) => printed().length >= count + 10));
      server.signal("SIGKILL");
      await server.exited;
      everyoneWrites(5);
      server = await startEmbedded({ dataDir, port });
      await everyoneHas((count += 3 * 30));
    }
    write(0, 3);
    expect(await programs[0]!.end()).toBe(0);
    await everyoneHas((count += 3));
    expect(await programs[1]!.end()).toBe(0);

    const { body } = await ada.get(`/chat/messages/${chatId}?limit=200`);
    const stored: Message[] = body;
    const lines = stored.map(({ n, senderId, text }) => `${n} ${senderId} ${text}`);
    for (const { printed } of programs) expect(printed()).toEqual(lines);
    expect(stored.map(({ n }) => n)).toEqual(numbers(count).map((i) => i + 1));
    const textsOf = ({ id }: Person) => stored.filter(({ kind, senderId }) => kind === "text" && senderId === id).map(({ text }) => text);
    expect(members.map(textsOf)).toEqual(written);
    await server.stop();
    await rm(dataDir, { recursive: true });
  });
});
