/** The REPL of an embedded server, as `npm run dev` opens it: its commands `nodes`, `services` and `call`. */
import { test } from "@jest/globals";
import { factory } from "../../support/people/factory.ts";
import { startEmbeddedRepl } from "../../support/servers/repl.ts";

test("the REPL lists nodes and services, and calls an action as a user", async () => {
  const { repl, url } = await startEmbeddedRepl();
  try {
    const { a, chatId } = await factory(() => [url]).pair();
    await repl.type("nodes", /Available|ONLINE/i);
    await repl.type("services", /profile[\s\S]*chat|chat[\s\S]*profile/);
    await repl.type(`call chat.myChats '{}' '{"user":{"id":"${a.id}","sessionId":"repl"}}'`, new RegExp(chatId));
    await repl.type("call chat.myChats", /Log in first/);
  } finally {
    await repl.stop();
  }
});
