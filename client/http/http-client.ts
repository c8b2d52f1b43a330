/** Requests over HTTP: the credential, errors as `ParleyError`, and repeats of what may be repeated. */
import { ParleyError, serverError, offlineError, type ErrorBody } from "../errors.ts";

export interface RequestOptions {
  /** Sent as JSON; a form as it is. */
  readonly body?: unknown;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** Asking twice does no more than asking once: repeated also when no answer came. GET always is. */
  readonly isRepeatable?: boolean;
  readonly timeoutMs?: number;
}
export interface JsonResponse<T> {
  readonly body: T;
  /** Where a list goes on: path and query. */
  readonly next: string | undefined;
}

const maxAttempts = 5;
const responseTimeoutMs = 30_000;
/** For files of 5 MB on a slow line. Longer than the server waits for a request, so that its answer arrives first. */
export const fileTimeoutMs = 5 * 60_000;
/** Who is told to wait longer than this is told so, at once. */
const maxRetryDelayMs = 10_000;
const firstRetryDelayMs = 250;

export class HttpClient {
  readonly url: string;
  private readonly token: string | undefined;

  /** @param token  undefined: the browser's cookie is the credential */
  constructor(url: string, token?: string) {
    this.url = url;
    this.token = token;
  }

  /** @throws ParleyError  the server's refusal, or OFFLINE */
  async request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    return (await this.requestPage<T>(method, path, options)).body;
  }

  /** @throws ParleyError  the server's refusal, or OFFLINE */
  async requestPage<T>(method: string, path: string, options: RequestOptions = {}): Promise<JsonResponse<T>> {
    return this.fetchWithRetry(method, path, options, async (response) => ({
      body: (await response.json()) as T,
      next: /<([^>]+)>;\s*rel="next"/.exec(response.headers.get("link") ?? "")?.[1],
    }));
  }

  /** A file's bytes. @throws ParleyError  the server's refusal, or OFFLINE */
  blob(path: string): Promise<Blob> {
    return this.fetchWithRetry("GET", path, { timeoutMs: fileTimeoutMs }, (response) => response.blob());
  }

  /** A whole list, page by page. */
  async list<T>(path: string, query: RequestOptions["query"] = {}): Promise<T[]> {
    const found: T[] = [];
    let page: string | undefined = path + queryOf({ limit: 200, ...query });
    while (page !== undefined) {
      const { body, next }: JsonResponse<{ data: readonly T[] }> = await this.requestPage("GET", page);
      found.push(...body.data);
      page = next;
    }
    return found;
  }

  private async fetchWithRetry<T>(
    method: string,
    path: string,
    options: RequestOptions,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.fetchOnce(method, path, options, read);
      } catch (error) {
        const { code, isTransient, retryAfterMs = 0 } = error as ParleyError;
        // What was refused for its number was not begun; anything else may have been.
        const mayRepeat = code === "RATE_LIMITED" || (isTransient && (options.isRepeatable ?? method === "GET"));
        const waitMs = Math.max(retryAfterMs, firstRetryDelayMs * 2 ** (attempt - 1));
        if (!mayRepeat || attempt === maxAttempts || waitMs > maxRetryDelayMs) throw error;
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  }

  private async fetchOnce<T>(
    method: string,
    path: string,
    { body, query, timeoutMs = responseTimeoutMs }: RequestOptions,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const isForm = body instanceof FormData;
    const headers = {
      ...(this.token === undefined ? {} : { authorization: `Bearer ${this.token}` }),
      ...(body === undefined || isForm ? {} : { "content-type": "application/json" }),
    };
    const content = body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) };
    const request = { method, headers, credentials: "include", signal: AbortSignal.timeout(timeoutMs), ...content } as const;
    let response: Response;
    try {
      response = await fetch(this.url + path + queryOf(query), request);
      if (response.ok) return await read(response);
    } catch (error) {
      throw offlineError(error);
    }
    throw errorOf(response, parseJson(await response.text().catch(() => "")) as ErrorBody | undefined);
  }
}

function queryOf(query: RequestOptions["query"] = {}): string {
  const given = Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${encodeURIComponent(value)}`]));
  return given.length === 0 ? "" : `?${given.join("&")}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A proxy's own error page has a status, and no code. */
function errorOf({ status, headers }: Response, body: ErrorBody | undefined): ParleyError {
  const seconds = Number(headers.get("retry-after"));
  const wait = seconds > 0 ? { retryAfterMs: seconds * 1000 } : {};
  if (typeof body?.code === "string") return serverError({ ...body, ...wait });
  if (status === 429) return new ParleyError("RATE_LIMITED", "Too many requests", wait);
  if (status === 413) return new ParleyError("TOO_LARGE", "Too large");
  if (status >= 502 && status <= 504) return new ParleyError("UNAVAILABLE", "Temporarily unavailable, try again", wait);
  return serverError({ message: `The server answered ${status}` });
}
