/** Lists all routes of the HTTP API. */
import { authRows } from "./auth.ts";
import { chatRows } from "./chat.ts";
import { fileRows } from "./files.ts";
import { profileRows } from "./profile.ts";
import { requestRows } from "./request.ts";

export const routes = [...authRows, ...profileRows, ...requestRows, ...chatRows, ...fileRows];
