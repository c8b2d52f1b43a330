/**
 * Emulates the parts of Cloudinary that Parley uses: signed uploads and removals of raw files, signed delivery of authenticated files with
 * ranges, their list, and ping. It checks every signature by Cloudinary's documented rules, not by the SDK's code.
 * https://cloudinary.com/documentation/authentication_signatures, https://cloudinary.com/documentation/delivery_url_signatures
 */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import * as tls from "node:tls";
import { fileURLToPath } from "node:url";
import { Busboy, type BusboyHeaders } from "@fastify/busboy";

/** Set NODE_EXTRA_CA_CERTS to it in processes that must trust the emulator. This process trusts it already. */
export const certificateFile = fileURLToPath(new URL("cloudinary-emulator.pem", import.meta.url));
const pem = readFileSync(certificateFile, "utf8");
const certificate = pem.slice(pem.indexOf("-----BEGIN CERTIFICATE"));
tls.setDefaultCACertificates([...tls.getCACertificates("default"), certificate]);

/**
 * `silent` accepts requests and never answers. `broken` answers every request with 500, `refusing` with 403. `cutting` closes the connection
 * in the middle of a delivery, `stalling` sends nothing more from there on. `rangeless` ignores ranges and delivers the whole file.
 */
export type EmulatorMode = "well" | "silent" | "broken" | "refusing" | "cutting" | "stalling" | "rangeless";

export interface CloudinaryEmulator {
  /** The value of CLOUDINARY_URL. */
  readonly url: string;
  readonly host: string;
  readonly secret: string;
  /** `<type>/<public id>` of each stored file. */
  readonly stored: () => string[];
  /** The number of open connections. */
  readonly connections: () => number;
  setMode(mode: EmulatorMode): void;
  stop(): Promise<void>;
}

interface SignedUploadForm {
  readonly fields: ReadonlyMap<string, string>;
  readonly file: Buffer | undefined;
}

/** An error that is sent instead of an answer. */
class EmulatorHttpError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const signatureLifetimeSeconds = 3600;

export async function startCloudinaryEmulator(): Promise<CloudinaryEmulator> {
  const [cloud, key, secret] = ["testcloud", String(randomBytes(6).readUIntBE(0, 6)), randomBytes(20).toString("base64url")];
  const assets = new Map<string, Buffer>();
  const sockets = new Set<Socket>();
  let mode: EmulatorMode = "well";

  function checkSignature(fields: SignedUploadForm["fields"]): void {
    const signed = [...fields].filter(([name]) => !["api_key", "signature", "file", "cloud_name", "resource_type"].includes(name));
    const text = signed.map((pair) => pair.join("=")).sort().join("&"); // prettier-ignore
    const age = Date.now() / 1000 - Number(fields.get("timestamp"));
    if (fields.get("api_key") !== key) throw new EmulatorHttpError(401, "Unknown API key");
    if (!(Math.abs(age) < signatureLifetimeSeconds)) throw new EmulatorHttpError(400, "Stale request");
    const expected = createHash("sha1").update(text + secret).digest("hex"); // prettier-ignore
    if (fields.get("signature") !== expected) throw new EmulatorHttpError(401, `Invalid Signature. String to sign - '${text}'`);
  }

  /** `POST /v1_1/<cloud>/raw/<action>` */
  const actions: Readonly<Record<string, (form: SignedUploadForm) => object>> = {
    upload({ fields, file }) {
      if (file === undefined) throw new EmulatorHttpError(400, "Missing required parameter - file");
      if (file.length === 0) throw new EmulatorHttpError(400, "Empty file");
      assets.set(nameOf(fields), file);
      return { public_id: fields.get("public_id"), bytes: file.length, resource_type: "raw", type: fields.get("type") };
    },
    destroy: ({ fields }) => ({ result: assets.delete(nameOf(fields)) ? "ok" : "not found" }),
  };

  async function call(action: string, request: IncomingMessage): Promise<object> {
    const form = await formOf(request);
    checkSignature(form.fields);
    const answer = actions[action];
    if (answer === undefined) throw new EmulatorHttpError(404, "Not found");
    return answer(form);
  }

  function checkCredential({ headers }: IncomingMessage): void {
    const credential = Buffer.from(`${key}:${secret}`).toString("base64");
    if (headers.authorization !== `Basic ${credential}`) throw new EmulatorHttpError(401, "unknown api_key");
  }

  /** `GET /v1_1/<cloud>/ping`, `GET /v1_1/<cloud>/resources/raw/<type>?prefix=...&max_results=...&next_cursor=...` */
  function query(request: IncomingMessage, path: string): object {
    checkCredential(request);
    const [resource = "", search] = path.split("?");
    const [, type] = /^resources\/raw\/(\w+)$/.exec(resource) ?? [];
    if (type === undefined) return { status: "ok" };
    const options = new URLSearchParams(search);
    const names = [...assets.keys()].filter((name) => name.startsWith(`${type}/${options.get("prefix")}`)).sort();
    const from = Number(options.get("next_cursor") ?? 0);
    const end = from + Number(options.get("max_results"));
    const resources = names.slice(from, end).map((name) => ({ public_id: name.slice(type.length + 1) }));
    return { resources, ...(end < names.length ? { next_cursor: `${end}` } : {}) };
  }

  /** `GET /<cloud>/raw/authenticated/s--<signature>--/v<version>/<public id>` */
  function deliver(path: string, request: IncomingMessage, response: ServerResponse): void {
    const [, type = "", signature, publicId = ""] = /^raw\/([a-z]+)(?:\/s--([\w-]+)--)?\/v\d+\/(.+)$/.exec(path) ?? [];
    const digest = createHash("sha256").update(publicId + secret).digest("base64url"); // prettier-ignore
    if (type === "authenticated" && signature !== digest.slice(0, 32)) throw new EmulatorHttpError(401, "deny or ACL failure");
    const bytes = assets.get(`${type}/${publicId}`);
    if (bytes === undefined) throw new EmulatorHttpError(404, "Resource not found");
    const [, start, end] = (mode === "rangeless" ? null : /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "")) ?? [];
    if (start === undefined) {
      send(200, bytes, {});
      return;
    }
    const [first, last] = [Number(start), Math.min(Number(end), bytes.length - 1)];
    if (first >= bytes.length) throw new EmulatorHttpError(416, "Range not satisfiable");
    send(206, bytes.subarray(first, last + 1), { "content-range": `bytes ${first}-${last}/${bytes.length}` });

    function send(status: number, part: Buffer, headers: object): void {
      response.writeHead(status, { ...headers, "content-length": part.length, "content-type": "application/octet-stream" });
      if (mode !== "cutting" && mode !== "stalling") response.end(part);
      else response.write(part.subarray(0, part.length / 2), () => mode === "cutting" && response.destroy());
    }
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (mode === "silent") {
      request.resume(); // Otherwise the end of the connection goes unnoticed.
      return;
    }
    if (mode === "broken") throw new EmulatorHttpError(500, "General error");
    if (mode === "refusing") throw new EmulatorHttpError(403, "Forbidden");
    const [first = "", ...rest] = request.url!.slice(1).split("/");
    if (request.method === "GET" && first === cloud) {
      deliver(rest.join("/"), request, response);
      return;
    }
    const [given, ...what] = rest;
    if (first !== "v1_1" || given !== cloud) throw new EmulatorHttpError(401, "cloud_name mismatch");
    const result = request.method === "GET" ? query(request, what.join("/")) : await call(what.join("/").replace("raw/", ""), request);
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(result));
  }

  const server = createServer({ key: pem, cert: certificate }, (request, response) => {
    answer(request, response).catch((error: unknown) => {
      const status = error instanceof EmulatorHttpError ? error.status : 500;
      request.resume();
      response.writeHead(status, { "content-type": "application/json", "x-cld-error": (error as Error).message });
      response.end(JSON.stringify({ error: { message: (error as Error).message } }));
    });
  });
  server.on("secureConnection", (socket) => sockets.add(socket.on("close", () => sockets.delete(socket)).on("error", () => undefined)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `cloudinary://${key}:${secret}@${cloud}?upload_prefix=https://${host}&secure_distribution=${host}`,
    host,
    secret,
    stored: () => [...assets.keys()],
    connections: () => sockets.size,
    setMode: (next) => void (mode = next),
    async stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  };
}

const nameOf = (fields: SignedUploadForm["fields"]): string => `${fields.get("type")}/${fields.get("public_id")}`;

/** @throws Error  the form is incomplete */
async function formOf(request: IncomingMessage): Promise<SignedUploadForm> {
  const fields = new Map<string, string>();
  let file: Promise<Buffer> | undefined;
  const busboy = new Busboy({ headers: request.headers as BusboyHeaders });
  busboy.on("field", (name, value) => void fields.set(name, value));
  busboy.on("file", (_name, stream) => void (file = buffer(stream)));
  await pipeline(request, busboy);
  return { fields, file: await file };
}
