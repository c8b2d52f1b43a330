/**
 * Records all errors that the clients of this process get: HTTP answers of 400 and above, requests without an answer, refused
 * acknowledgements, connect errors and ended sessions. A lost connection is not an error: the client reconnects and repeats its requests.
 */
import { Socket } from "socket.io-client";

export interface ErrorRecorder {
  readonly errors: readonly string[];
  /** Stops recording. */
  stop(): void;
}

interface SocketPacket {
  readonly type: number;
  readonly data?: unknown;
}
/** Packet types of Socket.IO's protocol 5. */
const packetTypes = { event: 2, ack: 3, connectError: 4 } as const;

/**
 * @param servers  URLs of the servers whose HTTP answers are recorded
 * @param expected  codes of errors that are not recorded
 */
export function recordErrors(servers: readonly string[], expected: readonly string[]): ErrorRecorder {
  const errors: string[] = [];
  const { fetch } = globalThis;
  globalThis.fetch = async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    const record = (outcome: string) => {
      if (servers.some((server) => url.startsWith(server))) errors.push(`${init?.method ?? "GET"} ${url}: ${outcome}`);
    };
    try {
      const answer = await fetch(input, init);
      if (answer.status < 400) return answer;
      const body = await answer.clone().text();
      if (!expected.some((code) => body.includes(`"code":"${code}"`))) record(`${answer.status} ${body}`);
      return answer;
    } catch (error) {
      const { message, cause } = error as Error & { cause?: { readonly message?: string } };
      record(`no answer, ${message}: ${cause?.message}`);
      throw error;
    }
  };
  const onpacket = Socket.prototype["onpacket"] as (this: Socket, packet: SocketPacket) => void;
  const recording = function (this: Socket, packet: SocketPacket) {
    const refused = refusalIn(packet);
    if (refused !== undefined && !expected.includes(refused.code)) errors.push(`socket: ${refused.code} ${refused.message}`);
    onpacket.call(this, packet);
  };
  Object.assign(Socket.prototype, { onpacket: recording });
  return {
    errors,
    stop() {
      globalThis.fetch = fetch;
      Object.assign(Socket.prototype, { onpacket });
    },
  };
}

interface ErrorPayload {
  readonly code: string;
  readonly message: string;
}

function refusalIn({ type, data }: SocketPacket): ErrorPayload | undefined {
  if (type === packetTypes.ack) {
    const [answer] = data as [{ readonly ok?: boolean; readonly error?: ErrorPayload } | undefined];
    return answer?.ok === false ? answer.error : undefined;
  }
  if (type === packetTypes.connectError) {
    const { message, data: more } = data as { readonly message: string; readonly data?: Partial<ErrorPayload> };
    return { code: `connect error ${more?.code ?? ""}`, message };
  }
  const [event, payload] = type === packetTypes.event ? (data as [string, unknown]) : [];
  return event === "error" || event === "sessionEnded" ? { code: event, message: JSON.stringify(payload) } : undefined;
}
