/** Parses query strings into flat maps. Repeated or badly encoded parameters are ambiguous, and refused. */
import { Invalid } from "../../../../core/errors.ts";

/** @throws Invalid */
export function parseQuery(query: string): Record<string, unknown> {
  const pairs = new Map<string, string>();
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const key = decode(equals < 0 ? pair : pair.slice(0, equals));
    if (pairs.has(key)) throw new Invalid("A query parameter is repeated", [{ field: key, message: "must be given once" }]);
    pairs.set(key, equals < 0 ? "" : decode(pair.slice(equals + 1)));
  }
  // fromEntries makes even `__proto__` an ordinary key, which validation then refuses.
  return Object.fromEntries(pairs);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw new Invalid("The query is not valid percent-encoding");
  }
}
