/** Calls chat for the rooms. */
import type { ServiceBroker } from "moleculer";
import { call } from "../../../../core/contract/call.ts";
import { codeOf } from "../../../../core/errors.ts";
import { chat } from "../../../chat/contract.ts";
import type { RoomsContext } from "../rooms/rooms.ts";

/** Heads read in one call. */
const headsPerCall = 1000;

export const chatClient = (broker: ServiceBroker): Pick<RoomsContext, "fetchChanges" | "fetchHeads" | "raiseDelivered"> => ({
  async fetchChanges(chatId, since) {
    try {
      return await call(broker, chat.changes, { chatId, since });
    } catch (error) {
      if (codeOf(error) === "FORBIDDEN") return undefined;
      throw error;
    }
  },
  async fetchHeads(chatIds) {
    const pages = Array.from({ length: Math.ceil(chatIds.length / headsPerCall) }, (_, page) =>
      chatIds.slice(page * headsPerCall, (page + 1) * headsPerCall),
    );
    return (await Promise.all(pages.map((page) => call(broker, chat.heads, { chatIds: page })))).flat();
  },
  raiseDelivered: (chatId, watermarks) => call(broker, chat.markDelivered, { chatId, marks: { ...watermarks } }),
});
