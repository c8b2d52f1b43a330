/** Lists the actions in the tables of routes and events. A gateway is ready when their services are available. */
import type { ActionRef } from "../../core/contract/contract.ts";
import { routes } from "./http/routes/index.ts";
import { clientEvents } from "./socket/client-events.ts";

export const calledActions: readonly ActionRef[] = [
  ...routes.flatMap(({ action, upload }) => [action, ...(upload?.authorize === undefined ? [] : [upload.authorize.action])]),
  ...clientEvents.map(({ action }): ActionRef => action),
];
