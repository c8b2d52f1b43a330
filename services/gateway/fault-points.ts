/** The gateway's fault points, `core/fault-points.ts`: it stores the uploads that media checks. */
import { faultPointsOf } from "../../core/fault-points.ts";

export const { points: gatewayFaultPoints, hit: faultPoint } = faultPointsOf("media.taken", "media.written");
