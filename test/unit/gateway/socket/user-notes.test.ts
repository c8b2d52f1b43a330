/** Events for people's sockets: what the gateway's table does not have does not compile where a service publishes it. */
import { expect, test } from "@jest/globals";
import { channel, type Feed } from "../../../../core/feed/feed.ts";
import { openLocalFeed } from "../../../../core/feed/local.ts";
import type { ContactRequest } from "../../../../services/request/contract.ts";
import { serverEvents, isServerEvent } from "../../../../services/gateway/socket/server-events.ts";
import { userChannel, type UserNote } from "../../../../services/user-notes.ts";

test("a note that the table does not have does not compile", () => {
  const data = {} as ContactRequest;
  const ada = userChannel("ada");
  const uses: ((feed: Feed) => void)[] = [
    (feed) => feed.publish(ada, { event: "requestReceived", data }),
    (feed) => feed.publish(ada, { event: "chatRemoved", data: { chatId: "c" }, left: { chatId: "c", leftSeq: 1 } }),
    // @ts-expect-error no such event
    (feed) => feed.publish(ada, { event: "requestForgotten", data }),
    // @ts-expect-error the data of another event
    (feed) => feed.publish(ada, { event: "requestReceived", data: { chatId: "c" } }),
    // @ts-expect-error nobody's membership ends by this event
    (feed) => feed.publish(ada, { event: "requestReceived", data, left: { chatId: "c", leftSeq: 1 } }),
    // @ts-expect-error a text, so nothing is known of what goes over it
    (feed) => feed.publish("user:ada", { event: "requestReceived", data }),
    // @ts-expect-error what another channel carries
    (feed) => feed.publish(channel<{ n: number }>("numbers"), { event: "requestReceived", data }),
    // @ts-expect-error a listener of something else
    (feed) => void feed.subscribe([ada], ({ n }: { n: number }) => n),
  ];
  expect(uses).toHaveLength(8);
});

test("a note comes as it was published, on the channel of its person", async () => {
  const feed = openLocalFeed();
  const heard: UserNote[] = [];
  await feed.subscribe([userChannel("ada")], (note) => heard.push(note));
  feed.publish(userChannel("ben"), { event: "chatRemoved", data: { chatId: "c" } });
  feed.publish(userChannel("ada"), { event: "chatRemoved", data: { chatId: "d" } });
  expect(heard).toEqual([{ event: "chatRemoved", data: { chatId: "d" } }]);
});

test("an event is known by the table, and by nothing that all objects have", () => {
  expect(Object.keys(serverEvents).filter((event) => !isServerEvent(event))).toEqual([]);
  for (const event of ["presence", "constructor", ""]) expect(isServerEvent(event)).toBe(false);
});
