/** The rooms of the chats that this gateway's sockets hear, and the feed channels behind them. */
import type { Feed, Subscription } from "../../../core/feed/feed.ts";
import { chatChannel, type ChatNote, type ChatHead } from "../../chat/contract.ts";
import { Room, type RoomParts } from "./room.ts";

export interface RoomsParts extends Omit<RoomParts, "onEmpty"> {
  readonly feed: Feed;
  readonly fetchHeads: (chatIds: readonly string[]) => Promise<readonly ChatHead[]>;
}

interface Opened {
  readonly chatId: string;
  readonly room: Room;
  /** Settles when the room has begun, or could not. */
  begun: Promise<void>;
  subscription?: Subscription;
}

/** The feed's confirmation is not waited for longer: what is missed while Redis is away the look finds. */
const confirmWithinMs = 1000;

export class Rooms {
  private readonly parts: RoomsParts;
  private readonly opened = new Map<string, Opened>();

  constructor(parts: RoomsParts) {
    this.parts = parts;
  }

  get(chatId: string): Room | undefined {
    return this.opened.get(chatId)?.room;
  }
  all(): Room[] {
    return [...this.opened.values()].map(({ room }) => room);
  }

  /**
   * Opens rooms: listens first and reads the heads then, so that whatever is committed after the promise resolves is heard.
   * @returns lets go of the rooms; call it once their sockets are attached
   * @throws  when the heads can't be read; nothing stays open then
   */
  async hold(chatIds: readonly string[]): Promise<() => void> {
    const missing = chatIds.filter((chatId) => !this.opened.has(chatId)).map((chatId) => this.open(chatId));
    const held = chatIds.map((chatId) => this.opened.get(chatId)!);
    const releases = held.map(({ room }) => room.hold());
    if (missing.length > 0) {
      const begun = this.begin(missing);
      for (const entry of missing) entry.begun = begun;
    }
    const release = () => releases.splice(0).forEach((free) => free());
    try {
      await Promise.all(new Set(held.map(({ begun }) => begun)));
    } catch (error) {
      release();
      throw error;
    }
    return release;
  }

  private open(chatId: string): Opened {
    const entry: Opened = {
      chatId,
      room: new Room(chatId, { ...this.parts, onEmpty: () => this.close(entry) }),
      begun: Promise.resolve(),
    };
    this.opened.set(chatId, entry);
    return entry;
  }

  private async begin(entries: readonly Opened[]): Promise<void> {
    try {
      await soon(this.parts.feed, Promise.all(entries.map((entry) => this.listen(entry))));
      const heads = new Map((await this.parts.fetchHeads(entries.map(({ chatId }) => chatId))).map((head) => [head.chatId, head]));
      for (const { chatId, room } of entries) {
        const head = heads.get(chatId);
        if (head === undefined) room.end();
        else room.begin(head);
      }
    } catch (error) {
      for (const entry of entries) {
        entry.room.close();
        this.close(entry);
      }
      throw error;
    }
  }

  private async listen(entry: Opened): Promise<void> {
    const hear = (note: ChatNote) => entry.room.hear(note);
    entry.subscription = await this.parts.feed.subscribe([chatChannel(entry.chatId)], hear);
    if (this.opened.get(entry.chatId) !== entry) entry.subscription.stop();
  }

  private close(entry: Opened): void {
    entry.subscription?.stop();
    if (this.opened.get(entry.chatId) === entry) this.opened.delete(entry.chatId);
  }
}

/** Waits for the feed to confirm, but not for long, and not while it is away. */
export async function soon(feed: Feed, confirmed: Promise<unknown>): Promise<void> {
  if (!feed.health().ok) return;
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise<void>((resolve) => (timer = setTimeout(resolve, confirmWithinMs)));
  try {
    await Promise.race([confirmed, enough]);
  } finally {
    clearTimeout(timer);
  }
}
