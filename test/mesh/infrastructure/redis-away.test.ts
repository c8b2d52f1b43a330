/** A mesh keeps delivering while Redis is down. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { factory, type Factory } from "../../support/people/factory.ts";
import { describeMesh, describeOwnRedis } from "../../support/systems/describe-with.ts";
import { startMesh, type TestMesh } from "../../support/mesh/mesh.ts";
import { startOwnRedis, type OwnRedis } from "../../support/infrastructure/own-redis.ts";

describeMesh("A mesh without Redis", () => {
  describeOwnRedis("of its own", () => {
    let redis: OwnRedis;
    let mesh: TestMesh;
    let made: Factory;

    beforeAll(async () => {
      redis = await startOwnRedis();
      mesh = await startMesh({ env: { REDIS_URL: redis.url } });
      made = factory(() => mesh.gateways);
    });
    afterAll(async () => {
      made.disconnectAll();
      await mesh.stop();
      await redis.stop();
    });

    test("lets users join and subscribe, and delivers each message once and in order", async () => {
      const { a, b, chatId } = await made.pair();
      const [sender, early] = [await a.connect(), await b.connectAndSubscribe()];
      const send = (text: string) => sender.callOrThrow("sendMessage", { chatId, text, clientId: text });
      await send("with Redis");
      await early.waitForCount("receiveMessage", 1);

      await redis.kill();
      for (const url of mesh.gateways) expect((await fetch(`${url}/ready`)).status).toBe(200);
      const late = await b.at(a.url).connectAndSubscribe();
      await sender.callOrThrow("joinChat", { chatId });
      await send("without Redis");
      await send("without it still");
      for (const line of [early, late, sender]) await line.waitFor("receiveMessage", ({ n }) => n === 3, 15_000);

      await redis.start();
      await send("with it again");
      for (const line of [early, late, sender]) await line.waitFor("receiveMessage", ({ n }) => n === 4, 15_000);
      const ordinals = [early, late, sender].map((line) => line.payloadsOf("receiveMessage").map(({ n }) => n));
      expect(ordinals).toEqual([
        [1, 2, 3, 4],
        [2, 3, 4],
        [2, 3, 4],
      ]);
    });
  });
});
