/** `npm run doctor` of an embedded server, running or stopped, healthy or broken: a line for each check, and an exit code. */
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newId } from "../../../core/ids.ts";
import { canRunAs, doctor, expectToDo, expectWell, nobody } from "../../support/servers/doctor.ts";
import { factory } from "../../support/people/factory.ts";
import { freePort, startEmbedded, temporaryFolder } from "../../support/servers/server.ts";

let folder: string;
/** The data folder of a server that ran once, with one account. */
let used: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  used = join(folder, "used");
  const server = await startEmbedded({ dataDir: used });
  await factory(() => [server.url]).person();
  await server.stop();
});
afterAll(() => rm(folder, { recursive: true }));

/** The files of a folder with their times and sizes. */
async function inventory(of: string): Promise<unknown> {
  const names = (await readdir(of, { recursive: true })).sort();
  return Promise.all(names.map(async (name) => [name, (await stat(join(of, name))).mtimeMs, (await stat(join(of, name))).size]));
}

/** Changes the server's database as Parley never would. */
function withDatabase(change: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(join(used, "parley.db"));
  try {
    change(database);
  } finally {
    database.close();
  }
}

test("a machine without data passes every check, and nothing is created", async () => {
  const missing = join(folder, "missing");
  expectWell(await doctor({ DATA_DIR: missing }));
  expect(existsSync(missing)).toBe(false);
});

test("a stopped server passes every check, and nothing in its folder changes", async () => {
  const before = await inventory(used);
  const diagnosis = await doctor({ DATA_DIR: used });
  expectWell(diagnosis);
  expect(diagnosis.output).toMatch(/ok {4}Data folder: .* is not in use/);
  expect(diagnosis.output).toContain("ok    Backup: none yet");
  expect(await inventory(used)).toEqual(before);
});

test("a running server passes every check, on its machine and from outside", async () => {
  const server = await startEmbedded();
  try {
    const inside = await doctor({ DATA_DIR: server.dataDir, PORT: new URL(server.url).port });
    expectWell(inside);
    expect(inside.output).toContain(`ok    Server: ${server.url} is ready`);
    const outside = await doctor({}, { url: server.url });
    expectWell(outside);
    expect(outside.output).toContain("ok    Sockets: long polling and WebSocket");
  } finally {
    await server.stop();
  }
});

test("every invalid variable gets a line, and no secret is printed", async () => {
  const env = { PORT: "eighty", LIMITS: "perhaps", JWT_SECRET: "tooshortsecret", JWT_OLD_SECRETS_FILE: join(folder, "nowhere") };
  const diagnosis = await doctor(env);
  expectToDo(
    diagnosis,
    "Configuration: PORT must be",
    "Configuration: LIMITS must be",
    "Configuration: JWT_SECRET must be",
    "JWT_OLD_SECRETS_FILE",
  );
  expect(diagnosis.todo).toHaveLength(4);
  expect(diagnosis.output).not.toContain("tooshortsecret");
});

test("a weak secret is reported, and a secret file that others can read or write", async () => {
  const [readable, writable] = [join(folder, "readable"), join(folder, "writable")];
  for (const file of [readable, writable]) await writeFile(file, "0f".repeat(16));
  await chmod(readable, 0o644);
  await chmod(writable, 0o620);
  const [weak, ...files] = await Promise.all([
    doctor({ DATA_DIR: used, JWT_SECRET: "change-me-change-me-change-me-change-me" }),
    doctor({ DATA_DIR: used, JWT_SECRET_FILE: readable }),
    doctor({ DATA_DIR: used, JWT_SECRET_FILE: writable }),
  ]);
  expectToDo(weak, "Secrets: JWT_SECRET could be guessed");
  expectToDo(files[0], `Secrets: JWT_SECRET_FILE ${readable} can be read by everybody`);
  expectToDo(files[1], `Secrets: JWT_SECRET_FILE ${writable} can be written by others`);
  for (const { output } of [weak, ...files]) expect(output).not.toMatch(/change-me|0f0f0f/);
});

test("contradictory addresses, switches for tests, and an unavailable collector are reported", async () => {
  const at = await freePort();
  const diagnosis = await doctor({
    DATA_DIR: used,
    PUBLIC_URL: "https://chat.example.org",
    LIMITS: "off",
    FAULTS: "outbox.publish=kill",
    PASSWORD_COST: "4",
    TRACING_URL: `http://me:collectors-password@127.0.0.1:${at}`,
  });
  expectToDo(
    diagnosis,
    "Addresses: PUBLIC_URL is https",
    "Switches: LIMITS=off",
    "Switches: FAULTS",
    "Switches: PASSWORD_COST=4",
    `127.0.0.1:${at} can't be reached`,
  );
  expect(diagnosis.output).not.toContain("collectors-password");
  const [plain, all, none] = await Promise.all([
    doctor({ DATA_DIR: used, PUBLIC_URL: "http://chat.example.org" }),
    doctor({ DATA_DIR: used, TRUST_PROXY: "0.0.0.0/0" }),
    doctor({ DATA_DIR: used, TRUST_PROXY: "10.0.0.300" }),
  ]);
  expectToDo(plain, "PUBLIC_URL http://chat.example.org is not https");
  expectToDo(all, "TRUST_PROXY trusts every address");
  expectToDo(none, 'TRUST_PROXY: "10.0.0.300" is not an address');
});

test("a data folder that is not a folder, or that others can write, is reported", async () => {
  const [file, open] = [join(folder, "file"), join(folder, "open")];
  await writeFile(file, "");
  await mkdir(open);
  await chmod(open, 0o777);
  const [none, below, shared] = await Promise.all([file, join(file, "below"), open].map((DATA_DIR) => doctor({ DATA_DIR })));
  expectToDo(none!, `Data folder: ${file} is not a folder`);
  expectToDo(below!, `Data folder: ${file} is not a folder`);
  expectToDo(shared!, `Data folder: ${open} can be written by others`);
});

const asNobody = process.getuid?.() !== 0 || canRunAs() ? test : test.skip;
asNobody("a data folder that the current user can't write is reported", async () => {
  const closed = join(folder, "closed");
  await mkdir(closed);
  const uid = process.getuid?.() === 0 ? nobody : undefined;
  // Its parent can be entered, but the folder itself can't be written.
  await chmod(folder, 0o755);
  await chmod(closed, 0o500);
  if (uid !== undefined) await chown(closed, uid, uid);
  expectToDo(await doctor({ DATA_DIR: closed }, uid === undefined ? {} : { uid }), `Data folder: ${closed} can't be written by this user`);
});

test("data of a newer release or a newer schema is reported", async () => {
  let before = 0;
  withDatabase((database) => {
    before = Number(database.prepare("PRAGMA user_version").get()!["user_version"]);
    database.exec("PRAGMA user_version = 999");
  });
  expectToDo(await doctor({ DATA_DIR: used }), "Data: it was written by a newer release (format 999");
  withDatabase((database) => {
    database.exec(`PRAGMA user_version = ${before}`);
    const doc = JSON.stringify({ version: 99, oldest: 99, rev: 1, cursor: null, done: 0 });
    database.prepare("INSERT OR REPLACE INTO chat_schema (_id, doc) VALUES ('schema', ?)").run(doc);
  });
  expectToDo(await doctor({ DATA_DIR: used }), /Data: the data of chat needs a release with schema 99/);
  withDatabase((database) => database.exec("DELETE FROM chat_schema"));
});

test("an old backup, or old data without any backup, is reported; a fresh backup passes", async () => {
  const backupAt = (at: number) =>
    withDatabase((database) => {
      const doc = JSON.stringify({ lastBackupAt: at });
      database.prepare("INSERT OR REPLACE INTO installation_facts (_id, doc) VALUES ('installation', ?)").run(doc);
    });
  const hour = 3_600_000;
  backupAt(Date.now() - 30 * hour);
  expectToDo(await doctor({ DATA_DIR: used }), "Backup: the last one is 30 hours old");
  backupAt(Date.now() - 2 * hour);
  const fresh = await doctor({ DATA_DIR: used });
  expectWell(fresh);
  expect(fresh.output).toContain("ok    Backup: the last one is 2 hours old");
  withDatabase((database) => {
    database.exec("DELETE FROM installation_facts");
    const old =
      Math.floor((Date.now() - 100 * hour) / 1000)
        .toString(16)
        .padStart(8, "0") + newId().slice(8);
    database.prepare("UPDATE auth_accounts SET _id = ?").run(old);
  });
  expectToDo(await doctor({ DATA_DIR: used }), "Backup: none was ever made, and there is data 100 hours old");
});

test("--url reports a server that can't be reached, and refuses a URL that is not http or https", async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const away = await doctor({}, { url });
  expectToDo(away, "Server: can't be reached");
  expect(away.todo).toHaveLength(1);
  const wrong = await doctor({}, { url: "ftp://chat.example.org" });
  expect(wrong).toMatchObject({
    code: 1,
    output: "",
    errors: expect.stringMatching(/^--url ftp:\S+ is not an http or https URL\nUsage: .*\n$/),
  });
});
