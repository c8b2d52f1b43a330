/** Lists the fault points of all modules: those that `FAULTS` may name. */
import { coreFaultPoints } from "../core/fault-points.ts";
import { gatewayFaultPoints } from "./gateway/fault-points.ts";
import { mediaFaultPoints } from "./media/fault-points.ts";

export const faultPoints: readonly string[] = [...coreFaultPoints, ...mediaFaultPoints, ...gatewayFaultPoints];
