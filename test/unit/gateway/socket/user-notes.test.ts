/** Tests that services can publish only the events of the gateway's table to users' sockets. */
import { expect, test } from "@jest/globals";
import { channel, type Feed } from "../../../../core/feed/feed.ts";
import { openLocalFeed } from "../../../../core/feed/local.ts";
import type { ContactRequest } from "../../../../services/request/contract.ts";
import { serverEvents, isServerEvent } from "../../../../services/gateway/socket/server-events.ts";
import { userChannel, type UserNote } from "../../../../services/user-notes.ts";

test("publishing an event that is not in the table does not compile", () => {
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

test("a note arrives as it was published, on its user's channel", async () => {
  const feed = openLocalFeed();
  const received: UserNote[] = [];
  await feed.subscribe([userChannel("ada")], (note) => received.push(note));
  feed.publish(userChannel("ben"), { event: "chatRemoved", data: { chatId: "c" } });
  feed.publish(userChannel("ada"), { event: "chatRemoved", data: { chatId: "d" } });
  expect(received).toEqual([{ event: "chatRemoved", data: { chatId: "d" } }]);
});

test("only names in the table are server events, and not names that every object inherits", () => {
  expect(Object.keys(serverEvents).filter((event) => !isServerEvent(event))).toEqual([]);
  for (const event of ["presence", "constructor", ""]) expect(isServerEvent(event)).toBe(false);
});
