/**
 * A gateway over real HTTP, on a real broker with real accounts. The chat service behind it is a stub, so a test chooses each answer and
 * each failure of its actions. Every request comes from its own address, as a trusted proxy reports it.
 */
import { mkdtemp, rm } from "node:fs/promises";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "@jest/globals";
import { ServiceBroker, type Service, type ServiceSchema } from "moleculer";
import { brokerOptions } from "../../../core/broker/options.ts";
import { readConfig } from "../../../core/config/config.ts";
import type { Ctx } from "../../../core/contract/call.ts";
import { newId } from "../../../core/ids.ts";
import { readiness } from "../../../core/node/readiness.ts";
import authService from "../../../services/auth/auth.service.ts";
import { chat } from "../../../services/chat/contract.ts";
import { followers } from "../../../services/followers.ts";
import gatewayService from "../../../services/gateway/gateway.service.ts";
import { eventually } from "../eventually.ts";
import type { Received } from "../people/person.ts";

export const password = "Correct-horse-7";

interface RawRequest {
  readonly body?: unknown;
  readonly raw?: string | Buffer;
  readonly token?: string;
  readonly headers?: Record<string, string>;
  /** The address that the proxy reports; a new one each time if left out. */
  readonly from?: string;
  /** Another server than the shared one. */
  readonly to?: string;
}
export interface RawResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Received;
}
interface SignedUpUser {
  readonly token: string;
  readonly emailId: string;
  readonly userId: string;
}

export interface StubbedGateway {
  /** What each action of chat answers; a test sets those that it needs. */
  readonly answers: Record<string, (ctx: Ctx<Received>) => unknown>;
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
  /** Starts a second broker with a gateway. The caller stops it. */
  readonly startBroker: () => Promise<ServiceBroker>;
  readonly broker: () => ServiceBroker;
  readonly base: () => string;
  readonly ask: (method: string, path: string, request?: RawRequest) => Promise<RawResponse>;
  readonly signedUp: () => Promise<SignedUpUser>;
}

export const serverOf = (broker: ServiceBroker): Server => (broker.getLocalService("gateway") as Service & { server: Server }).server;
export const portOf = (broker: ServiceBroker): number => (serverOf(broker).address() as AddressInfo).port;
export const baseOf = (broker: ServiceBroker): string => `http://127.0.0.1:${portOf(broker)}`;

export const anyone = () => ({ firstName: "Ada", lastName: "Lovelace", emailId: `${newId()}@example.org`, password });
export const tokenIn = (cookie: string | null): string => /token=([^;]*)/.exec(cookie ?? "")?.[1] ?? "";

let address = 0;
export const newAddress = (): string => `10.1.${address >> 8}.${address++ & 255}`;

export function stubbedGateway(): StubbedGateway {
  const answers: StubbedGateway["answers"] = {};
  const chatService: ServiceSchema = {
    name: "chat",
    actions: Object.fromEntries(Object.keys(chat).map((key) => [key, (ctx: Ctx<Received>) => answers[key]?.(ctx)])),
  };
  let folder: string;
  let broker: ServiceBroker;

  async function startBroker(): Promise<ServiceBroker> {
    const config = readConfig({
      PORT: "0",
      HOST: "127.0.0.1",
      DATA_DIR: await mkdtemp(join(folder, "data-")),
      TRUST_PROXY: "1",
      LOG_LEVEL: "fatal",
    });
    const started = new ServiceBroker(brokerOptions(config, followers));
    for (const schema of [gatewayService, authService, chatService]) started.createService(schema);
    await started.start();
    await eventually("the gateway follows sessions", async () => (await readiness(started)).parts["sessions"] === "ok");
    return started;
  }

  async function ask(
    method: string,
    path: string,
    { body, raw, token, headers, from = newAddress(), to = baseOf(broker) }: RawRequest = {},
  ): Promise<RawResponse> {
    const sent = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const answer = await fetch(`${to}${path}`, {
      method,
      headers: {
        "x-forwarded-for": from,
        ...(sent === undefined ? {} : { "content-type": "application/json" }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      ...(sent === undefined ? {} : { body: sent }),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, body: text === "" ? undefined : JSON.parse(text) };
  }

  async function signedUp(): Promise<SignedUpUser> {
    const person = anyone();
    const { status, headers, body } = await ask("POST", "/auth/signup", { body: person });
    expect(status).toBe(201);
    return { token: tokenIn(headers.get("set-cookie")), emailId: person.emailId, userId: body.data._id };
  }

  return {
    answers,
    async start() {
      folder = await mkdtemp(join(tmpdir(), "parley-gateway-"));
      broker = await startBroker();
    },
    async stop() {
      await broker.stop();
      await rm(folder, { recursive: true, force: true });
    },
    startBroker,
    broker: () => broker,
    base: () => baseOf(broker),
    ask,
    signedUp,
  };
}
