/** Creates the HTTP server with its timeouts, answers malformed requests, and stops without cutting off responses. */
import { createServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { StartError, type DomainErrorCode } from "../../../core/errors.ts";
import { newId } from "../../../core/ids.ts";

/** The paths of Socket.IO. */
const socketPaths = /^(?:\/chat)?\/socket\.io\//;
/** Time to receive a whole request: long enough for a file of 5 MB over a slow connection. */
export const requestTimeoutMs = 120_000;
const headersTimeoutMs = 10_000;

export function makeServer(answer: RequestListener): Server {
  const server = createServer(
    {
      requestTimeout: requestTimeoutMs,
      headersTimeout: headersTimeoutMs,
      connectionsCheckingInterval: 1000,
      // Offers to upgrade to other protocols are ignored, and the request answered over HTTP/1.1.
      shouldUpgradeCallback: ({ headers, url = "" }) => headers.upgrade?.toLowerCase() === "websocket" && socketPaths.test(url),
    },
    answer,
  );
  // Expectations other than 100-continue may be ignored (RFC 9110, 10.1.1). By default Node would answer 417 without a body.
  server.on("checkExpectation", answer);
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => answerClientError(socket, error.code));
  return server;
}

const notHttp = { status: "400 Bad Request", code: "VALIDATION" } as const;
/** By Node's error code. A request that was too slow may be retried. */
const clientErrorAnswers: Readonly<Record<string, { readonly status: string; readonly code: DomainErrorCode }>> = {
  HPE_HEADER_OVERFLOW: { status: "431 Request Header Fields Too Large", code: "VALIDATION" },
  ERR_HTTP_REQUEST_TIMEOUT: { status: "408 Request Timeout", code: "UNAVAILABLE" },
};

/** Answers data that did not become a request: not HTTP, headers too large, or too slow. */
function answerClientError(socket: Duplex, reason: string | undefined): void {
  const pendingResponse = (socket as { _httpMessage?: ServerResponse | null })._httpMessage;
  if (pendingResponse?.req.complete === true) {
    // This error concerns data after a request, which must still get its own response.
    pendingResponse.once("finish", () => socket.destroy());
    return;
  }
  const hasGone = reason === "ECONNRESET" || reason === "HPE_INVALID_EOF_STATE" || !socket.writable;
  if (hasGone || pendingResponse?.headersSent === true) {
    socket.destroy();
    return;
  }
  const { status, code } = clientErrorAnswers[reason ?? ""] ?? notHttp;
  const body = JSON.stringify({ message: status.slice(4), code, requestId: newId() });
  const headers = [
    `HTTP/1.1 ${status}`,
    "Content-Type: application/json; charset=utf-8",
    `Content-Length: ${body.length}`,
    "X-Content-Type-Options: nosniff",
    "Connection: close",
  ];
  socket.end(`${headers.join("\r\n")}\r\n\r\n${body}`);
}

/**
 * Starts to listen.
 * @param port  0 for any free port
 * @returns the port
 * @throws StartError  the port is taken, or the host can't be listened on
 */
export function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const why =
        error.code === "EADDRINUSE" ? `port ${port} is taken` : `it can't listen on ${host}:${port} (${error.code ?? error.message})`;
      reject(new StartError(why));
    });
    server.listen(port, host, () => {
      server.removeAllListeners("error");
      resolve((server.address() as AddressInfo).port);
    });
  });
}

const sweepEveryMs = 50;

/** Stops accepting connections, lets requests in flight finish, and closes the remaining connections after `timeoutMs`. */
export function close(server: Server, timeoutMs: number): Promise<void> {
  if (!server.listening) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearInterval(sweepTimer);
      clearTimeout(cutTimer);
      resolve();
    };
    // A keep-alive connection becomes idle once its response is sent.
    const sweepTimer = setInterval(() => server.closeIdleConnections(), sweepEveryMs);
    const cutTimer = setTimeout(() => {
      server.closeAllConnections();
      done();
    }, timeoutMs);
    server.close(done);
  });
}
