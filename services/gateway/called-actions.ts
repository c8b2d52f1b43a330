/** The actions that clients can cause a call of, from the tables: a gateway is ready when their services are there. */
import type { ActionRef } from "../../core/contract/contract.ts";
import { routes } from "./http/routes/index.ts";
import { clientEvents } from "./socket/client-events.ts";

export const calledActions: readonly ActionRef[] = [
  ...routes.flatMap(({ action, upload }) => [action, ...(upload?.authorize === undefined ? [] : [upload.authorize.action])]),
  ...clientEvents.map(({ action }): ActionRef => action),
];
