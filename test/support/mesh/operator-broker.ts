/** A broker of the test's own that joins a mesh, as an operator's REPL does: sees its nodes, calls its actions, offers none. */
import { ServiceBroker } from "moleculer";
import { builtInMiddlewares } from "../../../core/broker/built-in-middlewares.ts";
import { brokerOptions } from "../../../core/broker/options.ts";
import { readConfig } from "../../../core/config/config.ts";
import { followers } from "../../../services/followers.ts";
import type { TestMesh } from "./mesh.ts";

/** Joins, and waits until these services are in sight. Stop it before the mesh. */
export async function joinMesh(mesh: TestMesh, services: readonly string[]): Promise<ServiceBroker> {
  const options = brokerOptions(readConfig(mesh.env), followers);
  // Without our own middlewares: they would open the node's stores and take over the test's signals.
  const broker = new ServiceBroker({ ...options, middlewares: [...builtInMiddlewares], cacher: false, logger: false });
  await broker.start();
  await broker.waitForServices([...services], 20_000);
  return broker;
}
