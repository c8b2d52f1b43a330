/** Connecting and disconnecting sockets: which credentials are accepted, and what ends a connection. */
import { expect, test } from "@jest/globals";
import { settlesWithin, succeedsOnceInThree } from "../../support/attempts.ts";
import { connect, type Person } from "../../support/people/person.ts";
import { story } from "../../support/systems/story.ts";

story("Socket connections", (world) => {
  test("a socket without a valid token or cookie is refused", async () => {
    const [url] = world.gateways();
    for (const options of [
      {},
      { auth: { token: "nonsense" } },
      { auth: { token: { $gt: "" } } },
      { headers: { cookie: "token=nonsense" } },
      { headers: { cookie: "other=1" } },
    ]) {
      await expect(connect(url, options)).rejects.toThrow(/./);
    }
  });

  test("a socket connects with the token or the cookie, at both paths", async () => {
    const { token, url } = await world.person();
    // PingTalk's clients use the cookie and /chat/socket.io/.
    for (const credential of [{ auth: { token } }, { headers: { cookie: `token=${token}` } }]) {
      for (const path of ["/chat/socket.io/", "/socket.io/"]) {
        const line = await connect(url, { ...credential, path });
        expect(line.socket.connected).toBe(true);
        expect(await line.call("sync", { since: {} })).toMatchObject({ ok: true });
        line.close();
      }
    }
  });

  test("the cookie is refused from a foreign origin and accepted from our own", async () => {
    const { token, url } = await world.person();
    const cookie = `token=${token}`;
    await expect(connect(url, { headers: { cookie, origin: "https://evil.example" } })).rejects.toThrow();
    (await connect(url, { headers: { cookie, origin: url } })).close();
  });

  test("an unknown event answers NOT_FOUND", async () => {
    const line = await (await world.person()).connect();
    for (const event of ["auth.accounts", "call", "$node.list", "toString", "__proto__"]) {
      expect(await line.call(event, {})).toMatchObject({ ok: false, error: { code: "NOT_FOUND" } });
    }
  });

  test("log-out disconnects every socket of the session within a second, and no others", async () => {
    await succeedsOnceInThree("the sockets are disconnected within a second", async () => {
      const { a, b } = await world.pair();
      const [first, second] = world.gateways();
      const lines = await Promise.all([first, second].map((url) => a.at(url).connect()));
      const otherSession: Person = a.at(first);
      await otherSession.logIn();
      const kept = [await otherSession.connect(), await b.connect()];
      expect((await a.post("/auth/logout")).status).toBe(200);
      const isInTime = await settlesWithin(1000, Promise.all(lines.map((line) => line.waitFor("disconnect"))));
      for (const line of lines) expect(line.payloadsOf("sessionEnded")).toEqual([{ reason: "loggedOut" }]);
      for (const line of kept) {
        expect(await line.call("sync", { since: {} })).toMatchObject({ ok: true });
        line.close();
      }
      return isInTime;
    });
  });
});
