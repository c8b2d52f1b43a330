/** Sends HTTP requests with the session's credential, throws errors as `ParleyError`, and retries where that is safe. */
import { ParleyError, serverError, offlineError, type ErrorBody } from "../errors.ts";

export interface RequestOptions {
  /** Sent as JSON, or unchanged if it is a form. */
  readonly body?: unknown;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** Whether a repeat has no further effect, so that the request is retried even without an answer. Default: true for GET. */
  readonly isRepeatable?: boolean;
  readonly timeoutMs?: number;
}
export interface JsonResponse<T> {
  readonly body: T;
  /** Path and query of the list's next page. */
  readonly next: string | undefined;
}

const maxAttempts = 5;
const responseTimeoutMs = 30_000;
/** For files of 5 MB on a slow line. Longer than the server waits for a request, so that its answer arrives first. */
export const fileTimeoutMs = 5 * 60_000;
/** If the server asks for a longer wait, the error is thrown immediately. */
const maxRetryDelayMs = 10_000;
const firstRetryDelayMs = 250;

export class HttpClient {
  readonly url: string;
  private readonly token: string | undefined;

  /** @param token  undefined if the browser's cookie is the credential */
  constructor(url: string, token?: string) {
    this.url = url;
    this.token = token;
  }

  /** @throws ParleyError  the server's error, or OFFLINE */
  async request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    return (await this.requestPage<T>(method, path, options)).body;
  }

  /** @throws ParleyError  the server's error, or OFFLINE */
  async requestPage<T>(method: string, path: string, options: RequestOptions = {}): Promise<JsonResponse<T>> {
    return this.fetchWithRetry(method, path, options, async (response) => ({
      body: (await response.json()) as T,
      next: /<([^>]+)>;\s*rel="next"/.exec(response.headers.get("link") ?? "")?.[1],
    }));
  }

  /** Downloads a file. @throws ParleyError  the server's error, or OFFLINE */
  blob(path: string): Promise<Blob> {
    return this.fetchWithRetry("GET", path, { timeoutMs: fileTimeoutMs }, (response) => response.blob());
  }

  /** Fetches a whole list, page by page. */
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
        // A rate-limited request has not started. Any other one may have taken effect.
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

/** Makes the error of a response. A proxy's own error page has a status, but no code. */
function errorOf({ status, headers }: Response, body: ErrorBody | undefined): ParleyError {
  const seconds = Number(headers.get("retry-after"));
  const wait = seconds > 0 ? { retryAfterMs: seconds * 1000 } : {};
  if (typeof body?.code === "string") return serverError({ ...body, ...wait });
  if (status === 429) return new ParleyError("RATE_LIMITED", "Too many requests", wait);
  if (status === 413) return new ParleyError("TOO_LARGE", "Too large");
  if (status >= 502 && status <= 504) return new ParleyError("UNAVAILABLE", "Temporarily unavailable, try again", wait);
  return serverError({ message: `The server answered with status ${status}` });
}
