/**
 * The minimal chat server on these libraries, with Socket.IO only: verifies a token in the handshake, joins rooms, broadcasts to the room
 * and acknowledges to the sender. It stores nothing unless it is given a file. With a file, each message is durable in SQLite, one commit
 * each, before it is acknowledged and broadcast. Arguments: port, token secret, and optionally the file.
 */
import { createServer } from "node:http";
import { DatabaseSync } from "node:sqlite";
import jwt from "jsonwebtoken";
import { Server, type Socket } from "socket.io";
import { newId } from "../../../core/ids.ts";
import type { Message } from "../../../services/chat/documents.ts";

type AckCallback = (answer: object) => void;
interface BaselineMessage {
  readonly chatId: string;
  readonly text: string;
  readonly clientId: string;
}

const [port, secret, file] = process.argv.slice(2) as [string, string, string?];
const http = createServer();
const io = new Server(http, { path: "/chat/socket.io/", serveClient: false });
/** Number of messages in each chat. */
const counts = new Map<string, number>();
const store = file === undefined ? undefined : openStore(file);

/** Durable in the same sense as Parley's store: on disk before the acknowledgement. */
function openStore(name: string): (chatId: string, n: number, doc: string) => void {
  const db = new DatabaseSync(name);
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 8000");
  db.exec("CREATE TABLE messages (chatId TEXT NOT NULL, n INTEGER NOT NULL, doc TEXT NOT NULL, PRIMARY KEY (chatId, n)) WITHOUT ROWID");
  const insert = db.prepare("INSERT INTO messages (chatId, n, doc) VALUES (?, ?, ?)");
  return (chatId, n, doc) => void insert.run(chatId, n, doc);
}

function messageOf(senderId: string, { chatId, text, clientId }: BaselineMessage): Message {
  const n = (counts.get(chatId) ?? 0) + 1;
  counts.set(chatId, n);
  const now = new Date().toISOString();
  return {
    _id: newId(),
    chatId,
    senderId,
    n,
    seq: n,
    kind: "text",
    text,
    clientId,
    replyTo: null,
    reactions: {},
    readBy: [senderId],
    readCount: 1,
    createdAt: now,
    updatedAt: now,
    editedAt: null,
    deletedAt: null,
    __v: 0,
  };
}

io.use((socket, next) => {
  try {
    const { token } = socket.handshake.auth as { token: string };
    const { sub } = jwt.verify(token, secret, { algorithms: ["HS256"] }) as jwt.JwtPayload;
    (socket.data as { userId: string }).userId = sub!;
    next();
  } catch {
    next(new Error("Invalid or expired token"));
  }
});

io.on("connection", (socket: Socket) => {
  const { userId } = socket.data as { userId: string };
  socket.on("joinChat", ({ chatId }: { chatId: string }, acknowledge: AckCallback) => {
    void socket.join(chatId);
    acknowledge({ ok: true, data: { chatId } });
  });
  socket.on("sendMessage", (draft: BaselineMessage, acknowledge: AckCallback) => {
    if (!socket.rooms.has(draft.chatId)) {
      acknowledge({ ok: false, error: { code: "FORBIDDEN" } });
      return;
    }
    const message = messageOf(userId, draft);
    store?.(message.chatId, message.n, JSON.stringify(message));
    io.to(message.chatId).emit("receiveMessage", message);
    acknowledge({ ok: true, data: message });
  });
});

http.listen(Number(port), "127.0.0.1", () => process.stdout.write("listening\n"));
