/** Tests which services a node needs before it is ready. */
import { afterEach, expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { servicesAvailable } from "../../../core/node/readiness.ts";
import { contract, returns } from "../../../core/contract/contract.ts";
import { service } from "../../../core/contract/service.ts";
import { calledActions } from "../../../services/gateway/called-actions.ts";

const ping = { ping: { summary: "Answer", access: "service", params: {}, result: returns<null>() } } as const;
const actions = { ping: () => null };
const main = contract("main", ping);
const spare = contract("spare", ping, { isOptional: true });

let broker: ServiceBroker;
afterEach(() => broker.stop());
async function start(...schemas: readonly ReturnType<typeof service>[]): Promise<void> {
  broker = new ServiceBroker({ logger: false, skipProcessEventRegistration: true });
  for (const schema of schemas) broker.createService(schema);
  await broker.start();
}

test("a service that is called is needed, unless its contract says that it is optional", async () => {
  await start(service(main, { actions }));
  expect(servicesAvailable(broker, [main.ping, spare.ping])()).toBeUndefined();
  await broker.destroyService("main");
  expect(servicesAvailable(broker, [main.ping, spare.ping, main.ping])()).toBe("away: main");
});

test("a gateway needs the services that its routes and events call", async () => {
  await start();
  expect(servicesAvailable(broker, calledActions)()).toBe("away: auth, profile, request, chat, media");
  expect(servicesAvailable(broker, [...calledActions, spare.ping])()).toBe("away: auth, profile, request, chat, media");
});
