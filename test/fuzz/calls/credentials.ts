/** Credentials for calls: valid ones, and false ones. */
import type { Callers, CallerRole } from "./callers.ts";
import type { RawCall } from "./raw-http.ts";
import { pick, type RandomSource } from "./invalid-payloads.ts";

/** A role's credential: a valid one, or for "nobody" none or a false one. */
export function credential(callers: Callers, role: CallerRole, random: RandomSource): RawCall["headers"] {
  const { token } = role === "user" ? callers.user : callers.stranger;
  if (role !== "nobody") return random() < 0.8 ? { authorization: `Bearer ${token}` } : { cookie: `token=${token}` };
  return pick(random, falseCredentials(token))();
}

/** No token, and tokens that are invalid. */
const falseCredentials = (token: string): (() => RawCall["headers"])[] => {
  const [header = "", payload = "", signature = ""] = token.split(".");
  const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString("base64url");
  const other = signature.startsWith("A") ? `B${signature.slice(1)}` : `A${signature.slice(1)}`;
  const later = Buffer.from(JSON.stringify({ ...(JSON.parse(Buffer.from(payload, "base64url").toString()) as object), exp: 4e9 })).toString(
    "base64url",
  );
  const tokens = [
    "x",
    "..",
    `${header}.${payload}.`,
    `${none}.${payload}.`,
    `${header}.${payload}.${other}`,
    `${header}.${later}.${signature}`,
    `${token}x.y`,
    "x".repeat(7000),
    "null",
    "undefined",
  ];
  return [
    ...Array.from({ length: 8 }, () => () => ({})),
    ...tokens.flatMap((one) => [() => ({ authorization: `Bearer ${one}` }), () => ({ cookie: `token=${one}` })]),
    ...["Bearer", "Bearer ", "Basic YTpi", `Bearer  ${token.slice(1)}`, "Digest x"].map((authorization) => () => ({ authorization })),
    () => ({ cookie: "token" }),
    () => ({ cookie: "token=; token=x; =; ;" }),
    () => ({ cookie: `__proto__=${token}; tokens=${token}; Token=${token}` }),
  ];
};
