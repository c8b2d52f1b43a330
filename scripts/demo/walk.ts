/** Lets three users sign up, become contacts and chat, first in pairs and then in a group, with files, edits and reactions. */
import assert from "node:assert/strict";
import type { Message, Parley } from "../../client/index.ts";
import { expectEvent, retryTransient, expectRefusal, signUp } from "./person.ts";
import type { Steps } from "./steps.ts";

/** @returns whether every step succeeded */
export async function walk(url: string, steps: Steps): Promise<boolean> {
  const people: Parley[] = [];
  const enter = async (name: string) => {
    const person = await steps.run(`${name} signs up and is online`, () => signUp(url, name));
    if (person !== undefined) people.push(person);
    return person;
  };
  try {
    const [ada, ben, cleo] = [await enter("Ada"), await enter("Ben"), await enter("Cleo")];
    if (ada === undefined || ben === undefined || cleo === undefined) return false;
    await meet(ada, ben, steps);
    const pairId = await talk(ada, ben, steps);
    await steps.run("Cleo and Ada become contacts too", () => befriend(cleo, ada));
    const groupId = await gather(ada, ben, cleo, steps);
    if (groupId === undefined || pairId === undefined) return false;
    await share(ada, ben, groupId, steps);
    await change(ada, ben, cleo, groupId, steps);
    return (await part(ada, ben, pairId, steps)) === true;
  } finally {
    await Promise.all(people.map((person) => person.close()));
  }
}

async function befriend(a: Parley, b: Parley): Promise<void> {
  const invite = await retryTransient(() => a.contacts.invite(b.me.emailId, "Hello"));
  await retryTransient(() => b.contacts.respond(invite._id, "accepted"));
}

async function meet(ada: Parley, ben: Parley, steps: Steps): Promise<void> {
  await steps.run("Ada can't open a chat with Ben, who is not a contact", () =>
    expectRefusal(() => ada.groups.direct(ben.me._id), "FORBIDDEN"),
  );
  await steps.run("Ada invites Ben, who is notified and accepts", async () => {
    const received = expectEvent(ben, "request", ({ fromUserId }) => fromUserId === ada.me._id);
    const { _id } = await retryTransient(() => ada.contacts.invite(ben.me.emailId, "Hello Ben"));
    assert.equal((await received())._id, _id);
    await retryTransient(() => ben.contacts.respond(_id, "accepted"));
  });
}

/** Sends a message and waits until the other user receives it. */
async function say(from: Parley, to: Parley, chatId: string, text: string): Promise<Message> {
  const received = expectEvent(to, "message", (message) => message.chatId === chatId && message.text === text);
  const stored = await from.stored(from.send(chatId, text));
  assert.equal((await received())._id, stored._id);
  return stored;
}

async function talk(ada: Parley, ben: Parley, steps: Steps): Promise<string | undefined> {
  const chat = await steps.run("Ada opens their chat", () => retryTransient(() => ada.groups.direct(ben.me._id)));
  if (chat === undefined) return undefined;
  await steps.run('Ada: "Does it work?", stored, and received by Ben', () => say(ada, ben, chat._id, "Does it work?"));
  await steps.run('Ben: "It does, and fast.", stored, and received by Ada', () => say(ben, ada, chat._id, "It does, and fast."));
  await steps.run("Ada reads it, and Ben sees that she has", async () => {
    const isRead = expectEvent(ben, "messageChanged", ({ senderId, state }) => senderId === ben.me._id && state === "read");
    ada.markRead(chat._id);
    await isRead();
  });
  return chat._id;
}

async function gather(ada: Parley, ben: Parley, cleo: Parley, steps: Steps): Promise<string | undefined> {
  const group = await steps.run("Ada creates a group with both", async () => {
    const notified = [ben, cleo].map((person) => expectEvent(person, "chat", ({ name }) => name === "The three"));
    const made = await retryTransient(() => ada.groups.create("The three", [ben.me._id, cleo.me._id]));
    await Promise.all(notified.map((one) => one()));
    return made;
  });
  await steps.run("Cleo, who does not know Ben, writes to both", () => say(cleo, ben, group!._id, "Nice to meet you"));
  await steps.run("Ada renames the group, and all see the new name", async () => {
    const renamed = expectEvent(ben, "chat", ({ title }) => title === "The crew");
    await retryTransient(() => ada.groups.rename(group!._id, "The crew"));
    await renamed();
  });
  return group?._id;
}

async function share(ada: Parley, ben: Parley, chatId: string, steps: Steps): Promise<void> {
  await steps.run("Ada sends a file, and Ben downloads the same bytes", async () => {
    const bytes = new TextEncoder().encode("Minutes of our first meeting\n".repeat(1000));
    const received = expectEvent(ben, "message", ({ kind }) => kind === "file");
    ada.sendFile(chatId, new Blob([bytes]), { name: "minutes.txt", text: "What we said" });
    const { file } = await received();
    assert.deepEqual(new Uint8Array(await (await ben.file(file!.url)).arrayBuffer()), bytes);
  });
}

async function change(ada: Parley, ben: Parley, cleo: Parley, chatId: string, steps: Steps): Promise<void> {
  const message = await steps.run("Ben sends a message with a typo", () => say(ben, cleo, chatId, "See you on Mnday"));
  await steps.run("Ben edits it, and Cleo sees the new text in place", async () => {
    const edited = expectEvent(cleo, "messageChanged", ({ _id, text }) => _id === message!._id && text === "See you on Monday");
    await retryTransient(() => ben.edit(message!._id, "See you on Monday"));
    assert.equal((await edited()).n, message!.n);
  });
  await steps.run("Ada and Cleo react at the same time, and both reactions count", async () => {
    const both = expectEvent(ben, "messageChanged", ({ _id, reactions }) => _id === message!._id && reactions["👍"]?.count === 2);
    await Promise.all([ada, cleo].map((person) => retryTransient(() => person.react(message!._id, "👍"))));
    await both();
  });
  await steps.run("Ada removes Cleo, who receives nothing more", async () => {
    const removed = expectEvent(cleo, "chatRemoved", (gone) => gone.chatId === chatId);
    await retryTransient(() => ada.groups.remove(chatId, cleo.me._id));
    await removed();
    await say(ada, ben, chatId, "Between us");
    assert.equal(cleo.chat(chatId), undefined);
  });
}

async function part(ada: Parley, ben: Parley, chatId: string, steps: Steps): Promise<boolean | undefined> {
  await steps.run("Ben blocks Ada, and her messages to him are refused", async () => {
    await retryTransient(() => ben.contacts.block(ada.me._id));
    await expectRefusal(() => ada.stored(ada.send(chatId, "Why?")), "FORBIDDEN");
  });
  return steps.run("Their chat stays readable and contains only the messages from before", () => {
    const texts = ada.messages(chatId).filter(({ state }) => state !== "failed");
    assert.deepEqual(
      texts.map(({ n, text }) => [n, text]),
      [
        [1, "Does it work?"],
        [2, "It does, and fast."],
      ],
    );
    return Promise.resolve(true);
  });
}
