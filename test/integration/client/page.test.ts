/** Runs the chat program of docs/client.md, as a reader pastes it: two users chat on a real server. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { eventually, within } from "../../support/eventually.ts";
import { freshEmail } from "../../support/people/factory.ts";
import { startEmbedded } from "../../support/servers/server.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** Reads the page's first code block. */
async function program(): Promise<string> {
  const page = await readFile(`${root}docs/client.md`, "utf8");
  return /```ts\n(.*?)```/s.exec(page)![1]!;
}

/** Runs the program as a user at a terminal does. */
function run(file: string, url: string) {
  const child = spawn(process.execPath, [file, url], { cwd: root, stdio: "pipe" });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (printed += text));
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const sees = (text: string) =>
    eventually(`the program prints "${text}"`, () => printed.includes(text), 60_000).catch((error: unknown) => {
      throw new Error(`it printed:\n${printed}`, { cause: error });
    });
  return {
    sees,
    exited,
    printed: () => printed,
    type: (...lines: string[]) => void child.stdin.write(lines.map((line) => `${line}\n`).join("")),
    answer: async (question: string, line: string) => {
      await sees(question);
      child.stdin.write(`${line}\n`);
    },
    leave: () => void child.stdin.end(),
    kill: () => void child.kill(),
  };
}

test("the chat program has 30 lines, and works when pasted", async () => {
  const text = await program();
  expect(text.split("\n").filter((line) => line !== "").length).toBeLessThanOrEqual(30);
  const file = `${root}pasted-${randomBytes(4).toString("hex")}.ts`;
  await writeFile(file, text);
  const server = await startEmbedded({ env: { LIMITS: "on" } });
  const [ada, ben] = [run(file, server.url), run(file, server.url)];
  try {
    const people = [
      { at: ada, email: freshEmail(), name: "Ada" },
      { at: ben, email: freshEmail(), name: "Ben" },
    ] as const;
    for (const { at, email, name } of people) {
      await at.answer("Your e-mail address?", email);
      await at.answer("Your password?", "Correct-Horse-7");
      await at.answer("Your first name", name);
      await at.answer("Your last name?", "Example");
      await at.sees("Who do you want to chat with?");
    }
    ada.type(people[1].email);
    ben.type(people[0].email);
    await ada.sees("You chat with Ben Example");
    await ben.sees("You chat with Ada Example");
    ada.type("Hello Ben", "How are you?");
    await ben.sees("Ada Example: Hello Ben\nAda Example: How are you?\n");
    ben.type("Fine");
    await ada.sees("you: Hello Ben\nyou: How are you?\nBen Example: Fine\n");
    ada.type("Bye");
    ada.leave();
    expect(await within(60_000, "Ada's program ends", ada.exited)).toBe(0);
    await ben.sees("Ada Example: Bye");

    const again = run(file, server.url);
    await again.answer("Your e-mail address?", people[0].email);
    await again.answer("Your password?", "Correct-Horse-7");
    await again.sees("1: Ben Example");
    await again.answer("Who do you want to chat with?", "1");
    await again.sees("you: Hello Ben\nyou: How are you?\nBen Example: Fine\nyou: Bye\n");
    again.leave();
    expect(await within(60_000, "the second visit ends", again.exited)).toBe(0);
  } finally {
    ada.kill();
    ben.kill();
    await rm(file);
    await server.stop();
  }
});
