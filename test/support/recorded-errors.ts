/**
 * Everything that this process' clients are refused: HTTP answers from 400 on and requests that got none, acknowledgements and connect
 * errors with a code, sessions that end. Not a socket that is lost: its client comes back by itself, and what was under way again.
 */
import { Socket } from "socket.io-client";

export interface ErrorRecorder {
  readonly errors: readonly string[];
  /** Notes no more. */
  stop(): void;
}

interface SocketPacket {
  readonly type: number;
  readonly data?: unknown;
}
/** Of Socket.IO's protocol 5. */
const types = { event: 2, ack: 3, connectError: 4 } as const;

/**
 * @param servers  whose HTTP answers count, by their URLs
 * @param expected  codes: an acknowledgement that is a refusal as it should be
 */
export function recordErrors(servers: readonly string[], expected: readonly string[]): ErrorRecorder {
  const list: string[] = [];
  const { fetch } = globalThis;
  globalThis.fetch = async (asked, how) => {
    const url = asked instanceof Request ? asked.url : String(asked);
    const note = (came: string) => {
      if (servers.some((server) => url.startsWith(server))) list.push(`${how?.method ?? "GET"} ${url}: ${came}`);
    };
    try {
      const answer = await fetch(asked, how);
      if (answer.status < 400) return answer;
      const body = await answer.clone().text();
      if (!expected.some((code) => body.includes(`"code":"${code}"`))) note(`${answer.status} ${body}`);
      return answer;
    } catch (error) {
      const { message, cause } = error as Error & { cause?: { readonly message?: string } };
      note(`no answer, ${message}: ${cause?.message}`);
      throw error;
    }
  };
  const onpacket = Socket.prototype["onpacket"] as (this: Socket, packet: SocketPacket) => void;
  const noting = function (this: Socket, packet: SocketPacket) {
    const refused = refusalIn(packet);
    if (refused !== undefined && !expected.includes(refused.code)) list.push(`socket: ${refused.code} ${refused.message}`);
    onpacket.call(this, packet);
  };
  Object.assign(Socket.prototype, { onpacket: noting });
  return {
    errors: list,
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
  if (type === types.ack) {
    const [answer] = data as [{ readonly ok?: boolean; readonly error?: ErrorPayload } | undefined];
    return answer?.ok === false ? answer.error : undefined;
  }
  if (type === types.connectError) {
    const { message, data: more } = data as { readonly message: string; readonly data?: Partial<ErrorPayload> };
    return { code: `connect error ${more?.code ?? ""}`, message };
  }
  const [event, payload] = type === types.event ? (data as [string, unknown]) : [];
  return event === "error" || event === "sessionEnded" ? { code: event, message: JSON.stringify(payload) } : undefined;
}
