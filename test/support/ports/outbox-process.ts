/**
 * Runs one service with an outbox, which stores and announces one change in one commit. A test ends the process at a fault point.
 * Arguments: the data folder, the fault, the change's id.
 */
import { armFaults, coreFaultPoints } from "../../../core/fault-points.ts";
import { commitChange, outboxService, startBroker } from "./outbox-service.ts";

const [folder = "", fault = "", id = ""] = process.argv.slice(2);
armFaults([fault], coreFaultPoints);
await commitChange(await startBroker(folder, outboxService()), id);
