/** Declares the gateway's fault points (`core/fault-points.ts`), in storing the uploads that media then checks. */
import { faultPointsOf } from "../../core/fault-points.ts";

export const { points: gatewayFaultPoints, hit: faultPoint } = faultPointsOf("media.admitted", "media.written");
