/** The walk itself: two people sign up, become contacts and chat. It keeps to a server's rate limits by waiting as long as it is told. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { Person, type Answer } from "../../test/support/person.ts";
import type { Steps } from "./steps.ts";

const longestWaitMs = 60_000;

/** Asks again when the server says "too many", after the time it names. */
async function patiently(ask: () => Promise<Answer>, expected: number): Promise<any> {
  for (const deadline = Date.now() + longestWaitMs; ;) {
    const answer = await ask();
    if (answer.status === expected) return answer.body;
    const waitMs = Number(answer.headers.get("retry-after") ?? 1) * 1000;
    if (answer.status !== 429 || Date.now() + waitMs > deadline) {
      throw new Error(`the server answered ${answer.status} instead of ${expected}: ${JSON.stringify(answer.body)}`);
    }
    await pause(waitMs);
  }
}

const newcomer = (url: string, firstName: string): Person =>
  new Person(url, {
    firstName,
    lastName: "Demo",
    emailId: `${firstName.toLowerCase()}-${randomBytes(6).toString("hex")}@demo.example.org`,
    password: `Aa1-${randomBytes(12).toString("hex")}`,
  });

/** @returns whether every step succeeded */
export async function walk(url: string, steps: Steps): Promise<boolean> {
  const ada = newcomer(url, "Ada");
  const ben = newcomer(url, "Ben");
  try {
    await meet(ada, ben, steps);
    return (await talk(ada, ben, steps)) === true;
  } finally {
    ada.leave();
    ben.leave();
  }
}

async function meet(ada: Person, ben: Person, steps: Steps): Promise<void> {
  await steps.take("The server is ready", () => patiently(() => ada.get("/ready"), 200));
  for (const someone of [ada, ben]) {
    await steps.take(`${someone.firstName} signs up as ${someone.emailId}`, () => patiently(() => someone.signUp(), 201));
  }
  await steps.take("Ben logs in", () => patiently(() => ben.logIn(), 200));
  await steps.take("Strangers can't chat: Ada is refused", () =>
    patiently(() => ada.post("/chat/create-direct", { receiverId: ben.id }), 403),
  );
  const benHears = await steps.take("Ben connects a socket", () => ben.connect());
  const invite = await steps.take("Ada invites Ben", () =>
    patiently(() => ada.post("/request/invite/send", { toEmail: ben.emailId, message: "Hello Ben" }), 201),
  );
  await steps.take("Ben hears of it on his socket", () => benHears!.until("requestReceived", ({ _id }) => _id === invite.data._id));
  await steps.take("Ben accepts", () => patiently(() => ben.patch(`/request/respond/${invite.data._id}`, { status: "accepted" }), 200));
}

async function talk(ada: Person, ben: Person, steps: Steps): Promise<boolean | undefined> {
  const chat = await steps.take("Ada opens their chat", () =>
    patiently(() => ada.post("/chat/create-direct", { receiverId: ben.id }), 201),
  );
  const lines = await steps.take("Both listen", () => Promise.all([ada.listen(), ben.listen()]));
  const say = (who: Person, from: number, to: number, text: string) =>
    steps.take(`${who.firstName}: "${text}", stored and heard by the other`, async () => {
      const stored = await lines![from]!.must("sendMessage", { chatId: chat._id, text, clientId: randomBytes(8).toString("hex") });
      assert.deepEqual(await lines![to]!.until("receiveMessage", ({ _id }) => _id === stored._id), stored);
    });
  await say(ada, 0, 1, "Hello Ben, does it work?");
  await say(ben, 1, 0, "It does, and fast.");
  await steps.take('Ada, by HTTP: "Then let\'s keep it.", heard by Ben', async () => {
    const body = { chatId: chat._id, text: "Then let's keep it." };
    const stored = await patiently(() => ada.post("/chat/messages", body), 201);
    await lines![1].until("receiveMessage", ({ _id }) => _id === stored._id);
  });
  return steps.take("The history has all three, in order, numbered 1 to 3", async () => {
    const history = await patiently(() => ben.get(`/chat/messages/${chat._id}`), 200);
    assert.deepEqual(
      history.map(({ n, senderId }: { n: number; senderId: string }) => [n, senderId]),
      [
        [1, ada.id],
        [2, ben.id],
        [3, ada.id],
      ],
    );
    return true;
  });
}
