/** All faults, in the order of the table. Faults that can share a mesh are next to each other, so that it is started once. */
import type { Fault } from "../target/fault.ts";
import { clients } from "./clients.ts";
import { disk } from "./disk.ts";
import { embedded } from "./embedded.ts";
import { infrastructure } from "./infrastructure.ts";
import { network } from "./network.ts";
import { processes } from "./processes.ts";

export const faults: readonly Fault[] = [...processes, ...infrastructure, ...network, ...clients, ...embedded, ...disk];
