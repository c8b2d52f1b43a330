/** The native HTTP API as a table: one row a route. Bodies and statuses are those that clients know; no logic lives here. */
import { authRows } from "./auth.ts";
import { chatRows } from "./chat.ts";
import { fileRows } from "./files.ts";
import { profileRows } from "./profile.ts";
import { requestRows } from "./request.ts";

export const routes = [...authRows, ...profileRows, ...requestRows, ...chatRows, ...fileRows];
