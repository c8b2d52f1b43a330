/** The rooms of the chats that this gateway's sockets hear, and the feed channels behind them. */
import { Unavailable } from "../../../core/errors.ts";
import type { Feed, Subscription } from "../../../core/feed/feed.ts";
import { chatChannel, type Batch, type Head } from "../../chat/contract.ts";
import { Room, type RoomParts } from "./room.ts";

export interface RoomsParts extends Omit<RoomParts, "onEmpty"> {
  readonly feed: Feed;
  readonly fetchHeads: (chatIds: readonly string[]) => Promise<readonly Head[]>;
}

interface Opened {
  readonly chatId: string;
  readonly room: Room;
  /** Settles when the room has begun, or could not. */
  begun: Promise<void>;
  subscription?: Subscription;
}

/** Who waits longer is told so: without Redis a channel can't be listened to. */
const patienceMs = 5000;

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
   * @throws Unavailable  the feed or the heads can't be reached
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
      await inTime(Promise.all(new Set(held.map(({ begun }) => begun))));
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
      await Promise.all(
        entries.map(async (entry) => {
          const subscription = await this.parts.feed.listen([chatChannel(entry.chatId)], (batch: Batch) => entry.room.hear(batch));
          entry.subscription = subscription;
          if (this.opened.get(entry.chatId) !== entry) subscription.stop();
        }),
      );
      const heads = new Map((await this.parts.fetchHeads(entries.map(({ chatId }) => chatId))).map((head) => [head.chatId, head]));
      for (const { chatId, room } of entries) {
        const head = heads.get(chatId);
        if (head !== undefined) room.begin(head);
      }
    } catch (error) {
      for (const entry of entries) this.close(entry);
      throw error;
    }
  }

  private close(entry: Opened): void {
    entry.subscription?.stop();
    if (this.opened.get(entry.chatId) === entry) this.opened.delete(entry.chatId);
  }
}

/** @throws Unavailable  the feed or the services take too long */
export async function inTime(begun: Promise<unknown> | undefined): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Unavailable("Live delivery is not available, try again")), patienceMs);
  });
  try {
    await Promise.race([begun, late]);
  } finally {
    clearTimeout(timer);
  }
}
