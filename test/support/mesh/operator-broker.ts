/** Starts a broker in the test's process that joins a mesh as an operator's REPL does: it can call actions, and offers none. */
import { ServiceBroker } from "moleculer";
import { builtInMiddlewares } from "../../../core/broker/built-in-middlewares.ts";
import { brokerOptions } from "../../../core/broker/options.ts";
import { readConfig } from "../../../core/config/config.ts";
import { followers } from "../../../services/followers.ts";
import type { TestMesh } from "./mesh.ts";

/** Joins the mesh and waits until these services are available. Stop the broker before the mesh. */
export async function joinMesh(mesh: TestMesh, services: readonly string[]): Promise<ServiceBroker> {
  const options = brokerOptions(readConfig(mesh.env), followers);
  // Without Parley's middlewares, which would open the node's stores and handle the test's signals.
  const broker = new ServiceBroker({ ...options, middlewares: [...builtInMiddlewares], cacher: false, logger: false });
  await broker.start();
  await broker.waitForServices([...services], 20_000);
  return broker;
}
