/**
 * The minimal server for a cached read over HTTP: Fastify as in its guide (a response schema, no log), a token verified with jsonwebtoken,
 * the profile from a Map. Arguments: port, token secret, and `verify-each` or `verify-once`: whether a token's signature is verified for
 * each request, or once until it expires.
 */
import Fastify from "fastify";
import jwt from "jsonwebtoken";
import type { Profile } from "../../../services/profile/documents.ts";

interface VerifiedToken {
  readonly userId: string;
  readonly expiresAt: number;
}

const [port, secret, checking] = process.argv.slice(2) as [string, string, "verify-each" | "verify-once"];
const remembered = new Map<string, VerifiedToken>();

function verified(token: string): VerifiedToken {
  const { sub, exp } = jwt.verify(token, secret, { algorithms: ["HS256"] }) as jwt.JwtPayload;
  return { userId: sub!, expiresAt: exp! * 1000 };
}

/** @throws Error  the token is invalid */
function check(token: string): VerifiedToken {
  if (checking === "verify-each") return verified(token);
  const known = remembered.get(token) ?? verified(token);
  if (known.expiresAt <= Date.now()) throw new Error("expired");
  remembered.set(token, known);
  return known;
}

const profileOf = (userId: string): Profile => ({
  userId,
  firstName: "Member0",
  lastName: "Example",
  profilePic: null,
  _id: userId,
  about: null,
  gender: null,
  age: null,
  createdAt: "2026-01-01T00:00:00.000Z",
  updatedAt: "2026-01-01T00:00:00.000Z",
  __v: 0,
});
const profiles = new Map<string, ReturnType<typeof profileOf>>();

const text = { type: "string" } as const;
const textOrNull = { type: ["string", "null"] } as const;
const answer = {
  type: "object",
  properties: {
    data: {
      type: "object",
      properties: {
        userId: text,
        firstName: text,
        lastName: text,
        profilePic: textOrNull,
        _id: text,
        about: textOrNull,
        gender: textOrNull,
        age: { type: ["integer", "null"] },
        createdAt: text,
        updatedAt: text,
        __v: { type: "integer" },
      } satisfies Record<keyof Profile, object>,
    },
    source: text,
  },
} as const;

declare module "fastify" {
  interface FastifyRequest {
    userId: string;
  }
}
const app = Fastify();
app.decorateRequest("userId", "");
app.addHook("onRequest", (request, reply, done) => {
  try {
    const { authorization = "" } = request.headers;
    request.userId = check(authorization.slice("Bearer ".length)).userId;
    done();
  } catch {
    void reply.code(401).send({ message: "Invalid or expired token" });
  }
});
app.get("/profile/getProfile", { schema: { response: { 200: answer } } }, (request) => {
  const { userId } = request;
  const profile = profiles.get(userId) ?? profileOf(userId);
  profiles.set(userId, profile);
  return { data: profile, source: "cache" };
});
await app.listen({ port: Number(port), host: "127.0.0.1" });
process.stdout.write("listening\n");
