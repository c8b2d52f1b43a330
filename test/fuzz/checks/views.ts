/** Reads every list and document that the callers can see, as one text to compare. */
import type { Person } from "../../support/people/person.ts";
import type { Callers } from "../calls/callers.ts";
import { routes } from "../../../services/gateway/http/routes/index.ts";
import { publicRules, type RouteRow } from "../../../services/gateway/http/table.ts";

/** The GET routes that need no params. */
const lists = routes.filter((row) => row.method === "GET" && !row.path.includes(":") && !hasRequiredParam(row)).map(({ path }) => path);

function hasRequiredParam(row: RouteRow): boolean {
  return Object.values(publicRules(row)).some((rule) => rule.optional !== true && rule.default === undefined);
}

export const views = async ({ everyone }: Callers): Promise<string> => JSON.stringify(await Promise.all(everyone.map(viewOf)));

async function viewOf(person: Person): Promise<unknown> {
  const general = await Promise.all(lists.map((path) => person.get(path)));
  const chats = general[lists.indexOf("/chat/my-chats")]!;
  const ids = Array.isArray(chats.body) ? chats.body.map(({ _id }: { _id: string }) => _id) : [];
  const inside = await Promise.all(ids.flatMap((id) => [`/chat/messages/${id}`, `/chat/members/${id}`].map((path) => person.get(path))));
  // These fields may differ between two reads of the same state.
  return [...general, ...inside].map(({ status, body }) => [
    status,
    JSON.stringify(body, (key, value: unknown) => (volatileFields.has(key) ? 0 : value)),
  ]);
}

const volatileFields = new Set(["source", "deliveredN", "requestId"]);
