/** The rooms of the chats that this gateway's sockets hear, and the feed channels behind them. */
import type { Feed, Subscription } from "../../../core/feed/feed.ts";
import { chatChannel, type Batch, type Head } from "../../chat/contract.ts";
import { Room, type RoomParts } from "./room.ts";

export interface RoomsParts extends Omit<RoomParts, "onEmpty"> {
  readonly feed: Feed;
  readonly fetchHeads: (chatIds: readonly string[]) => Promise<readonly Head[]>;
}

interface Opened {
  readonly room: Room;
  /** Settles when the room has begun, or could not. */
  begun: Promise<void>;
  subscription?: Subscription;
}

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
    const missing = chatIds.filter((chatId) => !this.opened.has(chatId));
    for (const chatId of missing) {
      const onEmpty = (id: string) => this.close(id);
      this.opened.set(chatId, { room: new Room(chatId, { ...this.parts, onEmpty }), begun: Promise.resolve() });
    }
    const held = chatIds.map((chatId) => this.opened.get(chatId)!);
    const releases = held.map(({ room }) => room.hold());
    if (missing.length > 0) {
      const begun = this.begin(missing);
      for (const chatId of missing) this.opened.get(chatId)!.begun = begun;
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

  private async begin(chatIds: readonly string[]): Promise<void> {
    try {
      const hear = (batch: Batch) => this.opened.get(batch.chatId)?.room.hear(batch);
      await Promise.all(
        chatIds.map(async (chatId) => {
          const opened = this.opened.get(chatId)!;
          opened.subscription = await this.parts.feed.listen([chatChannel(chatId)], hear);
        }),
      );
      for (const head of await this.parts.fetchHeads(chatIds)) this.opened.get(head.chatId)?.room.begin(head);
    } catch (error) {
      for (const chatId of chatIds) this.close(chatId);
      throw error;
    }
  }

  private close(chatId: string): void {
    this.opened.get(chatId)?.subscription?.stop();
    this.opened.delete(chatId);
  }
}
