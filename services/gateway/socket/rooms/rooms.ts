/** Opens and closes the rooms of the chats that this gateway's sockets subscribe to, with the feed channels behind them. */
import type { Feed, Subscription } from "../../../../core/feed/feed.ts";
import { chatChannel, type ChatNote, type ChatHead } from "../../../chat/contract.ts";
import { Room, type RoomContext } from "./room.ts";

export interface RoomsContext extends Omit<RoomContext, "onEmpty"> {
  readonly feed: Feed;
  readonly fetchHeads: (chatIds: readonly string[]) => Promise<readonly ChatHead[]>;
}

interface OpenRoom {
  readonly chatId: string;
  readonly room: Room;
  /** Settles when the room has its first position, or could not get one. */
  ready: Promise<void>;
  subscription?: Subscription;
}

/** Maximum wait for the feed's confirmation. The next poll finds changes missed while Redis was down. */
const confirmTimeoutMs = 1000;

export class Rooms {
  private readonly context: RoomsContext;
  private readonly opened = new Map<string, OpenRoom>();

  constructor(context: RoomsContext) {
    this.context = context;
  }

  get(chatId: string): Room | undefined {
    return this.opened.get(chatId)?.room;
  }
  all(): Room[] {
    return [...this.opened.values()].map(({ room }) => room);
  }

  /**
   * Opens rooms. Subscribes to their channels first and reads the heads after, so that nothing committed after the promise resolves
   * is missed.
   * @returns releases the rooms; call it once their sockets are subscribed
   * @throws  when the heads can't be read; the rooms opened by this call are closed again
   */
  async retain(chatIds: readonly string[]): Promise<() => void> {
    const missing = chatIds.filter((chatId) => !this.opened.has(chatId)).map((chatId) => this.open(chatId));
    const retained = chatIds.map((chatId) => this.opened.get(chatId)!);
    const releases = retained.map(({ room }) => room.retain());
    if (missing.length > 0) {
      const ready = this.begin(missing);
      for (const entry of missing) entry.ready = ready;
    }
    const release = () => releases.splice(0).forEach((releaseRoom) => releaseRoom());
    try {
      await Promise.all(new Set(retained.map(({ ready }) => ready)));
    } catch (error) {
      release();
      throw error;
    }
    return release;
  }

  private open(chatId: string): OpenRoom {
    const entry: OpenRoom = {
      chatId,
      room: new Room(chatId, { ...this.context, onEmpty: () => this.close(entry) }),
      ready: Promise.resolve(),
    };
    this.opened.set(chatId, entry);
    return entry;
  }

  private async begin(entries: readonly OpenRoom[]): Promise<void> {
    try {
      await waitForConfirmation(this.context.feed, Promise.all(entries.map((entry) => this.listen(entry))));
      const heads = new Map((await this.context.fetchHeads(entries.map(({ chatId }) => chatId))).map((head) => [head.chatId, head]));
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

  private async listen(entry: OpenRoom): Promise<void> {
    const onNote = (note: ChatNote) => entry.room.onNote(note);
    entry.subscription = await this.context.feed.subscribe([chatChannel(entry.chatId)], onNote);
    if (this.opened.get(entry.chatId) !== entry) entry.subscription.stop();
  }

  private close(entry: OpenRoom): void {
    entry.subscription?.stop();
    if (this.opened.get(entry.chatId) === entry) this.opened.delete(entry.chatId);
  }
}

/** Waits for the feed's confirmation, up to a timeout, and not at all while the feed is down. */
export async function waitForConfirmation(feed: Feed, confirmed: Promise<unknown>): Promise<void> {
  if (!feed.health().ok) return;
  let timer: NodeJS.Timeout | undefined;
  const timedOut = new Promise<void>((resolve) => (timer = setTimeout(resolve, confirmTimeoutMs)));
  try {
    await Promise.race([confirmed, timedOut]);
  } finally {
    clearTimeout(timer);
  }
}
