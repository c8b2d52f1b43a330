/** How a call says whose it is. */
import type { Callers, CallerRole } from "./callers.ts";
import type { RawCall } from "./raw-http.ts";
import { pick, type RandomSource } from "./invalid-payloads.ts";

/** How the role shows who it is: rightly, or, as nobody, not at all or falsely. */
export function credential(cast: Callers, role: CallerRole, chance: RandomSource): RawCall["headers"] {
  const { token } = role === "user" ? cast.user : cast.stranger;
  if (role !== "nobody") return chance() < 0.8 ? { authorization: `Bearer ${token}` } : { cookie: `token=${token}` };
  return pick(chance, falseCredentials(token))();
}

/** Nobody's: without a token, and with what is none. */
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
