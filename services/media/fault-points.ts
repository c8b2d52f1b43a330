/** Declares media's fault points (`core/fault-points.ts`). */
import { faultPointsOf } from "../../core/fault-points.ts";

export const { points: mediaFaultPoints, hit: faultPoint } = faultPointsOf("media.inspected", "media.dropped");
