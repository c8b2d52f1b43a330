/** Requests over HTTP: the credential, errors as `ParleyError`, and repeats of what may be repeated. */
import { ParleyError, refusal, unanswered, type ErrorBody } from "./errors.ts";

export interface Asking {
  /** Sent as JSON; a form as it is. */
  readonly body?: unknown;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** Asking twice does no more than asking once: repeated also when no answer came. GET always is. */
  readonly isRepeatable?: boolean;
  readonly timeoutMs?: number;
}
export interface Answer<T> {
  readonly body: T;
  /** Where a list goes on: path and query. */
  readonly next: string | undefined;
}

const attempts = 5;
const answeredWithinMs = 30_000;
/** A file of 5 MB over a slow line; what the server bears with, too. */
export const fileWithinMs = 5 * 60_000;
/** Who is told to wait longer than this is told so, at once. */
const longestWaitMs = 10_000;
const firstPauseMs = 250;

export class Http {
  readonly url: string;
  private readonly token: string | undefined;

  /** @param token  undefined: the browser's cookie is the credential */
  constructor(url: string, token?: string) {
    this.url = url;
    this.token = token;
  }

  /** @throws ParleyError  the server's refusal, or OFFLINE */
  async ask<T>(method: string, path: string, asking: Asking = {}): Promise<T> {
    return (await this.exchange<T>(method, path, asking)).body;
  }

  /** @throws ParleyError  the server's refusal, or OFFLINE */
  async exchange<T>(method: string, path: string, asking: Asking = {}): Promise<Answer<T>> {
    return this.fetch(method, path, asking, async (answer) => ({
      body: (await answer.json()) as T,
      next: /<([^>]+)>;\s*rel="next"/.exec(answer.headers.get("link") ?? "")?.[1],
    }));
  }

  /** A file's bytes. @throws ParleyError  the server's refusal, or OFFLINE */
  blob(path: string): Promise<Blob> {
    return this.fetch("GET", path, { timeoutMs: fileWithinMs }, (answer) => answer.blob());
  }

  /** A whole list, page by page. */
  async list<T>(path: string, query: Asking["query"] = {}): Promise<T[]> {
    const found: T[] = [];
    let page: string | undefined = path + queryOf({ limit: 200, ...query });
    while (page !== undefined) {
      const { body, next }: Answer<{ data: readonly T[] }> = await this.exchange("GET", page);
      found.push(...body.data);
      page = next;
    }
    return found;
  }

  private async fetch<T>(method: string, path: string, asking: Asking, read: (answer: Response) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.once(method, path, asking, read);
      } catch (error) {
        const { code, isTransient, retryAfterMs = 0 } = error as ParleyError;
        // What was refused for its number was not begun; anything else may have been.
        const mayRepeat = code === "RATE_LIMITED" || (isTransient && (asking.isRepeatable ?? method === "GET"));
        const waitMs = Math.max(retryAfterMs, firstPauseMs * 2 ** (attempt - 1));
        if (!mayRepeat || attempt === attempts || waitMs > longestWaitMs) throw error;
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  }

  private async once<T>(
    method: string,
    path: string,
    { body, query, timeoutMs = answeredWithinMs }: Asking,
    read: (answer: Response) => Promise<T>,
  ): Promise<T> {
    const isForm = body instanceof FormData;
    const headers = {
      ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
      ...(body === undefined || isForm ? {} : { "content-type": "application/json" }),
    };
    const content = body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) };
    const request = { method, headers, credentials: "include", signal: AbortSignal.timeout(timeoutMs), ...content } as const;
    let answer: Response;
    try {
      answer = await fetch(this.url + path + queryOf(query), request);
      if (answer.ok) return await read(answer);
    } catch (error) {
      throw unanswered(error);
    }
    throw refused(answer, parsed(await answer.text().catch(() => "")) as ErrorBody | undefined);
  }
}

function queryOf(query: Asking["query"] = {}): string {
  const given = Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${encodeURIComponent(value)}`]));
  return given.length === 0 ? "" : `?${given.join("&")}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A proxy's own error page has a status, and no code. */
function refused({ status, headers }: Response, body: ErrorBody | undefined): ParleyError {
  const seconds = Number(headers.get("retry-after"));
  const wait = seconds > 0 ? { retryAfterMs: seconds * 1000 } : {};
  if (typeof body?.code === "string") return refusal({ ...body, ...wait });
  if (status === 429) return new ParleyError("RATE_LIMITED", "Too many requests", wait);
  if (status === 413) return new ParleyError("TOO_LARGE", "Too large");
  if (status >= 502 && status <= 504) return new ParleyError("UNAVAILABLE", "Temporarily unavailable, try again", wait);
  return refusal({ message: `The server answered ${status}` });
}
