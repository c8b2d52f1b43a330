/** Tests rendezvous hashing: every node picks alike, and only the keys of a node that joined or left move. */
import { afterEach, describe, expect, test } from "@jest/globals";
import { Context, ServiceBroker } from "moleculer";
import { pickNode, Routing } from "../../../core/broker/routing.ts";
import { newId } from "../../../core/ids.ts";

const nodes = ["a", "b", "c", "d", "e"].map((id) => ({ id: `node-${id}` }));
const keys = Array.from({ length: 5000 }, newId);
const placed = (among: typeof nodes) => new Map(keys.map((key) => [key, pickNode(among, key).id]));

test("the order in which nodes are known does not matter", () => {
  const before = placed(nodes);
  for (const order of [[...nodes].reverse(), [...nodes.slice(2), ...nodes.slice(0, 2)]]) expect(placed(order)).toEqual(before);
});

test("each node gets its share", () => {
  const counts = Map.groupBy(placed(nodes).values(), (id) => id);
  for (const { id } of nodes) {
    expect(counts.get(id)!.length).toBeGreaterThan(800);
    expect(counts.get(id)!.length).toBeLessThan(1200);
  }
});

test("when a node leaves, only its own keys move, and they spread over all the others", () => {
  const gone = nodes[2]!;
  const [before, after] = [placed(nodes), placed(nodes.filter((node) => node !== gone))];
  const moved = keys.filter((key) => before.get(key) !== after.get(key));
  expect(moved).toEqual(keys.filter((key) => before.get(key) === gone.id));
  expect(new Set(moved.map((key) => after.get(key))).size).toBe(4);
});

test("when a node joins, keys move only to that node", () => {
  const [before, after] = [placed(nodes), placed([...nodes, { id: "node-new" }])];
  const moved = keys.filter((key) => before.get(key) !== after.get(key));
  expect(new Set(moved.map((key) => after.get(key)))).toEqual(new Set(["node-new"]));
  expect(moved.length).toBeLessThan(keys.length / 4);
});

test("a single node gets everything", () => {
  expect(new Set(placed(nodes.slice(0, 1)).values())).toEqual(new Set(["node-a"]));
});

describe("as Moleculer's strategy", () => {
  let broker: ServiceBroker;
  const strategy = (routing: string) => {
    broker = new ServiceBroker({ logger: false, metadata: { routing }, skipProcessEventRegistration: true });
    return new Routing(broker.registry, broker, { key: "chatId" });
  };
  /** @param silent  seconds since these were heard */
  const used = (routing: string, params: (key: string) => unknown, silent: Readonly<Record<string, number>> = {}) => {
    const chosen = strategy(routing);
    const known = nodes.map(({ id }) => ({ id, local: false, node: { lastHeartbeatTime: process.uptime() - (silent[id] ?? 1) } }));
    return keys.slice(0, 200).map((key) => {
      const ctx = new Context(broker);
      ctx.params = params(key);
      return (chosen.select(known, ctx) as { id: string }).id;
    });
  };
  afterEach(() => broker.stop());

  test("calls are routed by the configured param", () => {
    expect(used("on", (chatId) => ({ chatId }))).toEqual(keys.slice(0, 200).map((key) => pickNode(nodes, key).id));
  });
  test("a silent node is skipped, unless all nodes are silent", () => {
    const heard = nodes.filter(({ id }) => id !== "node-c");
    const by = (chatId: string) => ({ chatId });
    expect(used("on", by, { "node-c": 4 })).toEqual(keys.slice(0, 200).map((key) => pickNode(heard, key).id));
    expect(used("on", by, Object.fromEntries(nodes.map(({ id }) => [id, 4])))).toEqual(used("on", by));
  });
  test.each([
    ["without that param", () => ({ text: "x" })],
    ["with one that is no string", () => ({ chatId: 7 })],
    ["without params", () => undefined],
  ])("a call %s goes anywhere", (_title, params) => {
    expect(new Set(used("on", params)).size).toBe(nodes.length);
  });
  test("with routing off, calls about one chat go to any node", () => {
    expect(new Set(used("off", () => ({ chatId: keys[0] }))).size).toBe(nodes.length);
  });
});
