/** Malformed input: the server refuses it with a clear error, stores nothing, and no process ends. */
import { beforeAll, expect, test } from "@jest/globals";
import { clientEvents } from "../../../services/gateway/socket/client-events.ts";
import { internalTexts } from "../../support/api/internal-texts.ts";
import { eventually } from "../../support/eventually.ts";
import type { TestSocket, Person } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";

/** JSON nested this deep. */
const nested = (depth: number): unknown => JSON.parse(`${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`);

/** Values that replace a field's valid value. */
const wrongValues: [string, unknown][] = [
  ["null", null],
  ["a number", -1.5],
  ["true", true],
  ["an empty text", ""],
  ["a long text", "x".repeat(50_000)],
  ["a list", ["0123456789abcdef01234567"]],
  ["a query operator", { $ne: null }],
  ["a regular expression operator", { $regex: ".*" }],
  ["where code", { $where: "while(true){}" }],
  ["a prototype", JSON.parse('{"__proto__": {"admin": true}}')],
  ["a constructor", { constructor: { prototype: { admin: true } } }],
  ["deep nesting", nested(2000)],
  ["a malformed id", "0123456789ABCDEF01234567"],
  ["a path", "../../etc/passwd"],
  ["a zero byte", "\u0000"],
  ["half a character", "Half \ud800"],
  ["a list nested 4,000 deep", JSON.parse(`${"[".repeat(4000)}${"]".repeat(4000)}`)],
  ["a list that can't be printed", [{ toString: 1, valueOf: 1 }]],
];

type IsValid = (value: unknown) => boolean;
const never: IsValid = () => false;
/** A field that accepts text of this length. */
const text =
  (min: number, max: number): IsValid =>
  (value) =>
    typeof value === "string" && value.length >= min && value.length <= max && value.isWellFormed();
const orNothing =
  (isValid: IsValid): IsValid =>
  (value) =>
    value === null || isValid(value);

const chatId0 = "0123456789abcdef01234567";

/** JSON bodies: the route, the other fields, the field under test, and which of the values above are valid in it. */
const bodies: [string, string, Record<string, unknown>, string, IsValid][] = [
  ["POST", "/auth/signup", { firstName: "Ada", lastName: "Example", password: "Correct-Horse-7" }, "emailId", never],
  ["POST", "/auth/login", { emailId: "nobody@example.org" }, "password", text(1, 72)],
  ["POST", "/auth/login", { password: "Correct-Horse-7" }, "emailId", never],
  ["PATCH", "/auth/changePassword", { newPassword: "Correct-Horse-8" }, "oldPassword", text(1, 72)],
  ["PATCH", "/auth/changePassword", { oldPassword: "Correct-Horse-7" }, "newPassword", never],
  ["PUT", "/profile/patchProfile", {}, "firstName", text(2, 60)],
  ["POST", "/request/invite/send", {}, "toEmail", never],
  ["PATCH", `/request/respond/${chatId0}`, {}, "status", never],
  ["POST", "/chat/create-direct", {}, "receiverId", never],
  ["POST", "/chat/create-group", { name: "Group" }, "participants", never],
  ["POST", "/chat/messages", { text: "Hello" }, "chatId", never],
  ["POST", "/chat/messages", { chatId: chatId0 }, "text", text(1, 10_000)],
  ["POST", "/chat/messages", { chatId: chatId0, text: "Hello" }, "clientId", orNothing(text(1, 64))],
  ["POST", "/chat/messages", { chatId: chatId0, text: "Hello" }, "replyTo", orNothing(never)],
  ["POST", "/chat/sync", {}, "since", orNothing(never)],
];

const events = ["joinChat", "leaveChat", "subscribe", "sync", "sendMessage", "noSuchEvent"];
/** All events that clients send, two that only the server sends, and an unknown one. */
const allEvents = [...clientEvents.map(({ event }) => event), "receiveMessage", "error", "noSuchEvent"];

story("Bad input", (world) => {
  let a: Person;
  let line: TestSocket;
  let chatId: string;
  let pids: number[];

  beforeAll(async () => {
    pids = world.processes().map(({ pid }) => pid);
    ({ a, chatId } = await world.pair());
    line = await a.connectAndSubscribe();
  });

  async function expectSameProcesses(): Promise<void> {
    expect(world.processes().map(({ pid }) => pid)).toEqual(pids);
    for (const { pid, statusUrl } of world.processes()) {
      expect(process.kill(pid, 0)).toBe(true);
      expect((await fetch(`${statusUrl}/health`)).status).toBe(200);
      await eventually("the process is ready", async () => (await fetch(`${statusUrl}/ready`)).status === 200);
    }
  }

  test.each(bodies)("%s %s refuses every invalid value of a field, and unknown fields", async (method, path, rest, field, isValid) => {
    const cases: [string, unknown][] = wrongValues
      .filter(([, value]) => !isValid(value))
      .map(([what, value]) => [what, { ...rest, [field]: value }]);
    cases.push(
      ["an unknown field", { ...rest, surprise: 1 }],
      ["fields of the prototype", JSON.parse('{"__proto__": {"admin": true}, "constructor": 1}')],
    );
    for (const [what, body] of cases) {
      const answer = await a.request(method, path, { body });
      expect({ what, status: answer.status, code: answer.body.code }).toEqual({ what, status: 400, code: "VALIDATION" });
      expect(JSON.stringify(answer.body)).not.toMatch(internalTexts);
    }
  });

  test.each([
    ["GET", "/profile/profile/"],
    ["GET", "/chat/messages/"],
    ["DELETE", "/request/cancel/"],
    ["PATCH", "/request/respond/"],
  ])("%s %s<a malformed id> answers 400", async (method, path) => {
    for (const id of ["x", "0123456789ABCDEF01234567", "0123456789abcdef0123456", "%24ne", "__proto__", "%00", "x".repeat(3000)]) {
      const answer = await a.request(method, path + id, method === "PATCH" ? { body: { status: "accepted" } } : {});
      expect({ id, status: answer.status }).toEqual({ id, status: 400 });
    }
  });

  test.each([
    "/auth/getUserByEmail?emailId[$ne]=x",
    "/auth/getUserByEmail?emailId=a@example.org&emailId=b@example.org",
    "/auth/getUserByEmail?__proto__[x]=1",
    "/request/invites/sent?status[$gt]=",
    "/chat/my-chats?limit[]=1",
    "/chat/my-chats?before[$gt]=1",
  ])("GET %s answers 400", async (path) => {
    expect(await a.get(path)).toMatchObject({ status: 400, body: { code: "VALIDATION" } });
  });

  test("an error reveals nothing of the server's internals, and no picture is fetched from an address", async () => {
    const answers = [
      await a.post("/chat/create-direct", { receiverId: { $ne: null } }),
      await a.post("/chat/create-group", { name: "Group", participants: [{ $gt: "" }, { $gt: "" }] }),
      await a.post("/request/invite/send", { toEmail: { $regex: ".*" } }),
      await a.put("/profile/patchProfile", { profilePic: `${a.url}/docs/icon.svg?.png` }),
      await a.request("POST", "/auth/login", {}),
      await a.request("PATCH", "/auth/changePassword", {}),
      await a.request("POST", "/auth/login", { body: '{"emailId":' }),
    ];
    for (const { status, body } of answers) {
      expect({ status, body }).toMatchObject({ status: 400, body: { code: "VALIDATION", message: expect.any(String) } });
      expect(JSON.stringify(body)).not.toMatch(internalTexts);
    }
  });

  test("an event without a payload is answered with an error on every gateway, and no process ends", async () => {
    for (const url of world.gateways()) {
      const socket = await (await world.person()).at(url).connect();
      for (const event of allEvents) {
        for (const payload of [[], [null], ["text"], [[]]]) {
          expect(await socket.call(event, ...payload)).toMatchObject({
            ok: false,
            error: { code: expect.stringMatching(/^(VALIDATION|NOT_FOUND)$/) },
          });
          socket.socket.emit(event, ...payload);
        }
      }
      expect(await socket.call("sync", { since: {} })).toMatchObject({ ok: true });
      socket.close();
    }
    await expectSameProcesses();
  });

  test.each(events)("the event %s answers malformed payloads with an error", async (event) => {
    const junk: unknown[][] = [
      [],
      [null],
      [undefined],
      [7],
      ["text"],
      [true],
      [[]],
      [[[[]]]],
      [Buffer.from("bytes")],
      [{ chatId: Buffer.from("bytes") }],
      [JSON.parse('{"__proto__": {"chatId": "0123456789abcdef01234567"}}')],
      [{ constructor: { prototype: {} } }],
      [{ chatId: { $ne: null }, since: { $gt: "" } }],
      [{ chatId: ["0123456789abcdef01234567"], since: [] }],
      [{ chatId: "nonsense", text: "x", since: "x" }],
      [{ chatId, text: { $ne: "" }, since: { [chatId]: "1" } }],
      [{ chatId, text: "x", surprise: 1, since: {}, more: 1 }],
      [{ chatId, text: "x".repeat(10_001), since: { x: 1 } }],
      [nested(2000)],
      [{}, {}, {}],
      [...Array.from({ length: 100 }, () => ({}))],
    ];
    for (const payload of junk) {
      const answer = await line.call(event, ...payload);
      const isAccepted = event !== "joinChat" && event !== "leaveChat" && event !== "sendMessage" && event !== "noSuchEvent" && answer.ok;
      if (!isAccepted)
        expect({ payload: shown(payload), answer }).toMatchObject({
          payload: shown(payload),
          answer: { ok: false, error: { code: expect.stringMatching(/^(VALIDATION|NOT_FOUND)$/), message: expect.any(String) } },
        });
    }
    // The same without an acknowledgement, and functions in place of a payload.
    for (const payload of junk) line.socket.emit(event, ...payload);
    line.socket.emit(
      event,
      () => undefined,
      () => undefined,
    );
    line.socket.emit(event, { chatId: () => undefined }, 7);
    expect(await line.call("sync", { since: {} })).toMatchObject({ ok: true });
  });

  test("a frame over 1 MB disconnects its own socket only", async () => {
    const other = await a.connect();
    other.socket.emit("sendMessage", { chatId, text: "x".repeat(1_500_000) });
    await other.waitFor("disconnect");
    expect(await line.call("sync", { since: {} })).toMatchObject({ ok: true });
  });

  test("malformed Socket.IO packets disconnect at most their own socket", async () => {
    for (const packet of [
      "42",
      "42[",
      '42["sendMessage"',
      "42{}",
      "42[7]",
      '42["joinChat",{"__proto__":{}}]',
      "43[]",
      "451-",
      '451-["sync",{"_placeholder":true,"num":9}]',
      "9",
      "\u0000",
    ]) {
      const raw = new WebSocket(`${a.url.replace("http", "ws")}/chat/socket.io/?EIO=4&transport=websocket`);
      await new Promise((resolve) => raw.addEventListener("open", resolve));
      raw.send(`40${JSON.stringify({ token: a.token })}`);
      raw.send(packet);
      raw.send(new Uint8Array([1, 2, 3]));
      raw.close();
    }
    expect(await line.call("sync", { since: {} })).toMatchObject({ ok: true });
    await expectSameProcesses();
  });

  test("after all of this nothing is stored, and the processes are the same", async () => {
    expect((await a.get("/chat/my-chats")).body).toMatchObject([{ _id: chatId, lastN: 0 }]);
    expect((await a.get(`/chat/messages/${chatId}`)).body).toEqual([]);
    expect((await a.get("/request/invites/sent")).body.count).toBe(1);
    expect((await a.get("/profile/getProfile")).body.data.firstName).toBe(a.firstName);
    expect((await a.logIn()).status).toBe(200);
    await expectSameProcesses();
  });
});

const shown = (payload: unknown[]): string => JSON.stringify(payload).slice(0, 100);
