/** Checks a running installation from outside (`--url`), over HTTP as clients see it. */
import { fine, compareClocks, reasonOf, todo, type DoctorCheck, type Finding, type DoctorConnection } from "./check.ts";

const answerMs = 8000;

async function ask(url: string, path: string, init: RequestInit = {}): Promise<Response> {
  try {
    return await fetch(url + path, { signal: AbortSignal.timeout(answerMs), redirect: "manual", ...init });
  } catch (error) {
    const { cause, name } = error as Error;
    const why = name === "TimeoutError" ? `no answer within ${answerMs / 1000} s` : `can't be reached: ${reasonOf(cause ?? error)}`;
    throw new Error(why, { cause: error });
  }
}

/** Reads `/ready`: one line for each unavailable part. */
export async function readinessFindings(url: string): Promise<Finding[]> {
  const answer = await ask(url, "/ready");
  const text = await answer.text();
  const parts = partsOf(text);
  if (parts === undefined) return [todo(`${url}/ready answers ${answer.status}, but not like Parley: is this the right address?`)];
  const away = Object.entries(parts).filter(([, state]) => state !== "ok");
  if (away.length === 0) return [fine(`${url} is ready`)];
  return away.map(([part, state]) => todo(`${url} is not ready: ${part}: ${state}`));
}

function partsOf(text: string): Record<string, string> | undefined {
  try {
    const { parts } = JSON.parse(text) as { parts?: Record<string, string> };
    return parts;
  } catch {
    return undefined;
  }
}

const ready: DoctorCheck<string> = { name: "Server", run: readinessFindings };

const release: DoctorCheck<string> = {
  name: "API",
  async run(url) {
    const answer = await ask(url, "/openapi.json");
    const text = await answer.text();
    const version = /"version":\s*"([^"]{1,40})"/.exec(text)?.[1];
    return version === undefined
      ? todo(`/openapi.json answers ${answer.status}: let the proxy forward all paths`)
      : fine(`release ${version}`);
  },
};

const clock: DoctorCheck<string> = {
  name: "Clock",
  async run(url) {
    return compareClocks(async () => {
      const answer = await ask(url, "/health");
      await answer.body?.cancel();
      const date = Date.parse(answer.headers.get("date") ?? "");
      if (Number.isNaN(date)) throw new Error("the response has no Date header");
      return date + 500; // The header has whole seconds.
    });
  },
};

const metrics: DoctorCheck<string> = {
  name: "Metrics",
  async run(url) {
    const { hostname } = new URL(url);
    const answer = await ask(url, "/metrics");
    await answer.body?.cancel();
    const isOpen = answer.ok && !["localhost", "127.0.0.1", "[::1]"].includes(hostname);
    return isOpen
      ? todo("/metrics is open to everybody: block it in the proxy, or let the proxy set X-Forwarded-For")
      : fine("not open to everybody");
  },
};

const sockets: DoctorCheck<string> = {
  name: "Sockets",
  async run(url) {
    const answer = await ask(url, "/chat/socket.io/?EIO=4&transport=polling");
    const text = await answer.text();
    if (!/^0\{/.test(text)) return todo(`/chat/socket.io/ answers ${answer.status}: let the proxy forward it`);
    return (await upgrades(url)) ? fine("long polling and WebSocket") : todo("WebSocket connections fail: let the proxy forward Upgrade");
  },
};

function upgrades(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}/chat/socket.io/?EIO=4&transport=websocket`);
    const timer = setTimeout(() => settle(false), answerMs);
    const settle = (isThrough: boolean) => {
      clearTimeout(timer);
      socket.close();
      resolve(isThrough);
    };
    socket.onmessage = () => settle(true);
    socket.onerror = () => settle(false);
  });
}

const tls: DoctorCheck<string> = {
  name: "TLS",
  async run(url) {
    const { protocol, hostname } = new URL(url);
    if (protocol === "https:") {
      const answer = await ask(url, "/health");
      await answer.body?.cancel();
      const isKnown = answer.headers.has("strict-transport-security");
      return isKnown
        ? fine("https, and Parley knows it")
        : todo("https, but Parley does not know it: set PUBLIC_URL to this origin, or cookies are not Secure");
    }
    if (["localhost", "127.0.0.1", "[::1]"].includes(hostname)) return fine("not needed on this machine");
    return todo("http: passwords are sent unencrypted; terminate TLS in a proxy");
  },
};

export const remotePart: DoctorConnection<string, string> = {
  name: "Server",
  async open(url) {
    const answer = await ask(url, "/health");
    await answer.body?.cancel();
    return url;
  },
  close: () => Promise.resolve(),
  explain: reasonOf,
  checks: [ready, release, clock, metrics, sockets, tls],
};
