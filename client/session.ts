/** One person's session at work: its parts, what wires them, and what each event of the connection means to them. */
import { CatchingUp } from "./catching-up.ts";
import { Chats, type ChatEvents } from "./chats.ts";
import { Connection } from "./connection.ts";
import type { ContactRequest, Heard, Me, Message, SyncAnswer, Typing } from "./documents.ts";
import { Emitter } from "./emitter.ts";
import { fileWithinMs, Http } from "./http.ts";
import { Keeping } from "./keeping.ts";
import { Outbox } from "./outbox.ts";
import { Reading } from "./reading.ts";
import { formOf, payloadOf, pendingView } from "./sending.ts";
import { chatKey, outboxKey, recordOf, sessionKey, type Saved, type Storage } from "./storage.ts";
import { Typists } from "./typing.ts";

/**
 * `connecting`: on the way, or catching up. `online`: what is held is what there is. `offline`: no connection, the next attempt
 * comes by itself. `ended`: the session is over, or was closed.
 */
export type State = "connecting" | "online" | "offline" | "ended";

export interface Events extends ChatEvents {
  /** `reason` when it ended: `closed`, `loggedOut`, `expired`, `revoked`, `passwordChanged`, `unauthenticated`, `forbidden`. */
  readonly state: { readonly state: State; readonly reason?: string };
  readonly typing: Typing;
  /** An invite came, or one's own was answered. */
  readonly request: ContactRequest;
}

export interface SessionOf {
  readonly url: string;
  readonly storage: Storage;
  readonly me: Me;
  /** undefined: the browser's cookie is the credential */
  readonly token: string | undefined;
}

/** A file on a slow line. */

export class Session {
  readonly me: Me;
  readonly http: Http;
  readonly events = new Emitter<Events>();
  readonly chats: Chats;
  readonly outbox: Outbox;
  readonly reading: Reading;
  readonly typists: Typists;
  readonly keeping: Keeping;
  private readonly connection: Connection;
  private readonly catchingUp: CatchingUp;
  private token: string | undefined;
  private current: State = "connecting";

  constructor({ url, storage, me, token }: SessionOf) {
    const { events } = this;
    const ask = <T>(event: string, payload: object) => this.connection.ask<T>(event, payload);
    this.me = me;
    this.token = token;
    this.http = new Http(url, token);
    this.keeping = new Keeping(storage, (key) => this.record(key));
    this.chats = new Chats({
      myId: me._id,
      emit: events.emit.bind(events),
      settle: (message) => this.outbox.settle(message),
      onTouched: (chatId) => this.keeping.touch(chatKey(chatId)),
    });
    this.outbox = new Outbox({
      deliver: (message) =>
        message.file === undefined
          ? ask<Message>("sendMessage", payloadOf(message))
          : this.http.ask("POST", "/chat/send-file", { body: formOf(message), timeoutMs: fileWithinMs }),
      onStored: (message) => this.chats.learn(message),
      onChanged: (message) => events.emit("messageChanged", pendingView(me._id, message)),
      onTouched: () => this.keeping.touch(outboxKey, true),
    });
    this.reading = new Reading({ chats: this.chats, ask: (payload) => ask("markRead", payload) });
    this.typists = new Typists({
      tell: (payload) => void ask("typing", payload).catch(() => undefined),
      emit: (typing) => events.emit("typing", typing),
    });
    this.catchingUp = new CatchingUp({
      chats: this.chats,
      // A server of an earlier release keeps none of these.
      ask: (event, payload, take) =>
        this.connection.take<Omit<SyncAnswer, "receipts" | "own">, boolean | undefined>(event, payload, (answer) =>
          take({ receipts: {}, own: {}, ...answer }),
        ),
      onCaughtUp: () => this.caughtUp(),
    });
    this.connection = new Connection({
      url,
      token,
      onConnected: () => this.connected(),
      onLost: () => this.lost("offline"),
      onEnded: (reason) => this.ended(reason),
      hear: (event, data) => this.hear(event, data),
    });
  }

  get state(): State {
    return this.current;
  }

  /** Takes over what an earlier run saved, and connects. */
  start({ chats, outbox }: Pick<Saved, "chats" | "outbox">): void {
    for (const record of chats) this.chats.restore(record);
    // The run may have ended after it had saved a message as stored, and before it had saved that it waits no more.
    for (const message of outbox) if (this.chats.find(message.chatId, message.clientId) === undefined) this.outbox.add(message);
    this.keeping.touch(sessionKey, true);
    this.connection.open();
  }

  /** Ends this client; the server's session goes on. */
  async close(reason: string): Promise<void> {
    this.connection.close();
    this.ended(reason);
    await this.keeping.close();
  }

  private connected(): void {
    this.become("connecting");
    this.catchingUp.begin();
  }

  private caughtUp(): void {
    this.chats.begin();
    this.become("online");
    this.outbox.open();
    this.reading.open();
  }

  private lost(state: State, reason?: string): void {
    this.catchingUp.stop();
    this.outbox.close();
    this.reading.close();
    this.typists.clear();
    this.become(state, reason);
  }

  private ended(reason: string): void {
    if (this.current === "ended") return;
    if (reason !== "closed") this.token = undefined;
    this.keeping.touch(sessionKey, true);
    this.lost("ended", reason);
    this.outbox.end();
  }

  private become(state: State, reason?: string): void {
    if (this.current === state) return;
    this.current = state;
    this.events.emit("state", { state, ...(reason === undefined ? {} : { reason }) });
  }

  private hear(event: string, data: unknown): void {
    if (!Object.hasOwn(this.heard, event)) return;
    const learn = this.heard[event as keyof Heard] as (data: unknown) => unknown;
    const isMissing = learn(data);
    if (isMissing === true) this.catchingUp.want();
  }

  /** What each event means. True: something is missing, and has to be asked for. */
  private readonly heard: { readonly [E in keyof Heard]: (data: Heard[E]) => unknown } = {
    receiveMessage: (message) => {
      this.typists.hear({ chatId: message.chatId, userId: message.senderId, isTyping: false });
      return this.chats.hear(message);
    },
    messageChanged: (message) => this.chats.hear(message),
    chatChanged: (chat) => this.chats.chatChanged(chat),
    chatRemoved: ({ chatId }) => this.chats.drop(chatId),
    receipt: (receipt) => this.chats.receipt(receipt),
    typing: (typing) => this.typists.hear(typing),
    positions: (heads) => this.chats.positions(heads),
    requestReceived: (request) => this.events.emit("request", request),
    requestAnswered: (request) => this.events.emit("request", request),
  };

  /** Learns of a chat that an act of one's own was answered with. */
  learnChat(chat: Heard["chatChanged"]): void {
    if (this.chats.chatChanged(chat)) this.catchingUp.want();
  }

  private record(key: string): unknown {
    if (key === sessionKey) return { me: this.me, ...(this.token === undefined ? {} : { token: this.token }) };
    if (key === outboxKey) return this.outbox.messages.filter(({ file }) => file === undefined);
    return recordOf(this.chats.get(key.slice(chatKey("").length)));
  }
}
