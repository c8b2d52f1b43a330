/** Random operations by five clients, with cut connections and a killed gateway: in the end each client shows what is stored. */
import { expect, test } from "@jest/globals";
import { Parley } from "../../../client/index.ts";
import { eventually } from "../../support/eventually.ts";
import { describeMesh } from "../../support/systems/describe-with.ts";
import { ownMesh } from "../../support/systems/own-mesh.ts";
import type { Person } from "../../support/people/person.ts";
import { performRandomOperation, viewDifferences, type DayParticipant } from "../../support/client/random-day.ts";
import { seeded } from "../../support/random.ts";
import { openTcpProxy, type TcpProxy } from "../../support/fault-injection/tcp-proxy.ts";

const operations = 3000;
const concurrency = 10;
const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));

describeMesh("Five clients with cut connections and a killed gateway", () => {
  const own = ownMesh();
  const { made } = own;

  /** Five contacts of each other, in two groups and two direct chats. */
  async function peopleInChats(): Promise<Person[]> {
    const people: [Person, ...Person[]] = await made.people(5);
    for (const a of people) for (const b of people) if (a.id < b.id) await made.befriend(a, b);
    const others = (count: number, who: Person) =>
      people
        .filter(({ id }) => id !== who.id)
        .slice(0, count)
        .map(({ id }) => id);
    await people[0].post("/chat/create-group", { name: "All", participants: others(4, people[0]) });
    await people[1]!.post("/chat/create-group", { name: "Some", participants: others(2, people[1]!) });
    await people[2]!.post("/chat/create-direct", { receiverId: people[3]!.id });
    await people[4]!.post("/chat/create-direct", { receiverId: people[0].id });
    return people;
  }

  async function connectThroughProxy(person: Person, index: number): Promise<DayParticipant & { proxy: TcpProxy; person: Person }> {
    const proxy = await openTcpProxy(own.mesh.gateways[index % 2]!);
    const parley = await Parley.resume({ url: proxy.url.replace(/\/$/, ""), token: person.token });
    return { parley, userId: person.id, proxy, person };
  }

  test(`show exactly what is stored after ${operations} random operations`, async () => {
    process.stderr.write(`random day: SEED=${seed}\n`);
    const chance = seeded(seed);
    const people = await Promise.all((await peopleInChats()).map(connectThroughProxy));
    await Promise.all(people.map(({ parley }) => parley.online()));

    const done: Record<string, number> = {};
    const count = (what: string) => (done[what] = (done[what] ?? 0) + 1);
    const faults: Promise<unknown>[] = [];
    let next = 0;
    const worker = async () => {
      for (let i = next++; i < operations; i = next++) {
        const outcome = await performRandomOperation({ people, chance }, i);
        if (outcome !== undefined) count(outcome.refused === undefined ? outcome.act : `${outcome.act} ${outcome.refused}`);
        if (chance() < 0.005)
          faults.push(cutFor(people[Math.floor(chance() * people.length)]!, 200 + chance() * 2000).then(() => count("cut")));
        if (i === operations / 2) faults.push(killGateway().then(() => count("gateway killed")));
      }
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
    await Promise.all(faults);
    await Promise.all(people.map(({ parley }) => parley.online()));

    // Reads what is stored through the gateway that was not killed.
    const read =
      ({ person }: (typeof people)[number]) =>
      async (path: string) =>
        (await person.at(own.mesh.gateways[1]).get(path)).body;
    let found: string[] = [];
    const areEqual = async () => {
      found = (await Promise.all(people.map((one) => viewDifferences(one, read(one))))).flat();
      return found.length === 0 ? true : undefined;
    };
    await eventually("views equal the store", areEqual, 120_000).catch(() => undefined);
    process.stderr.write(`random day: ${JSON.stringify(done)}; ${found.length} differences\n`);
    await Promise.all(people.map(({ parley, proxy }) => parley.close().then(() => proxy.close())));
    expect(found.slice(0, 20)).toEqual([]);
  }, 600_000);

  async function cutFor({ proxy }: { proxy: TcpProxy }, ms: number): Promise<void> {
    await proxy.cut();
    await new Promise((resolve) => setTimeout(resolve, ms));
    await proxy.mend();
  }
  async function killGateway(): Promise<void> {
    await own.mesh.kill("gatewayA");
    await own.mesh.start("gatewayA", "gateway");
  }
});
