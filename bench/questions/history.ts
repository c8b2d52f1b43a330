/** Measures whether a chat's length matters: pages of history and a sync in a chat of 1,000,000 messages, against a chat of 1,000. */
import { sync } from "../../services/chat/reads/sync.ts";
import type { ApiResponse } from "../../test/support/people/person.ts";
import type { Bench, BenchOptions, BenchMode } from "../measure/bench.ts";
import { percentile, type MeasuredPair } from "../measure/measure.ts";
import { readFromMongo, readFromSqlite, type RowsRead } from "./rows-read.ts";
import { fillAndStart, type Filled } from "../seed/filled.ts";
import { seedHistories, type Histories, type History } from "../seed/histories.ts";
import { rowOf, type ResultRow } from "../measure/table.ts";
import { firstMembers, messagesBefore } from "../../services/chat/store/repository.ts";

const pageSize = 50;
const page = ({ chatId }: History, before = ""): string => `/chat/messages/${chatId}?limit=${pageSize}${before}`;
const since = ({ chatId, seq }: History) => ({ [chatId]: seq - pageSize });
/** A random position far enough from both ends for a full page. */
const somewhere = ({ n }: History): number => pageSize + 1 + Math.floor(Math.random() * (n - pageSize));

const questions: readonly { readonly what: string; readonly ask: (history: History) => Promise<ApiResponse> }[] = [
  { what: "the newest page", ask: (history) => history.reader.get(page(history)) },
  { what: "a page from anywhere", ask: (history) => history.reader.get(page(history, `&before=${somewhere(history)}`)) },
  { what: "a sync of 50 changes", ask: (history) => history.reader.post("/chat/sync", { since: since(history) }) },
];

async function run(options: BenchOptions): Promise<ResultRow[]> {
  const filled = await fillAndStart(options.world, seedHistories);
  try {
    const rows: ResultRow[] = [];
    for (const { what, ask } of questions) {
      rows.push(rowOf({ question: what, unit: "ms", of: (ms) => ms, target: { atMost: 1.2 } }, await timed(filled.content, ask, options)));
    }
    return [...rows, ...(await readRows(filled, options))];
  } finally {
    await filled.remove();
  }
}

/** A page of messages, or a response to `sync`. */
type Shown = readonly unknown[] | { readonly messages: Readonly<Record<string, readonly unknown[]>> };

/**
 * Sends one request at a time, alternating between the chats, so that other load on the machine affects both alike. @returns medians, one
 * pair per window
 */
async function timed({ long, short }: Histories, ask: (history: History) => Promise<ApiResponse>, { pairs, windowMs }: BenchOptions) {
  const took = async (history: History): Promise<number> => {
    const from = performance.now();
    const { status, body } = (await ask(history)) as ApiResponse<Shown>;
    const ms = performance.now() - from;
    const shown = "messages" in body ? body.messages[history.chatId]! : body;
    if (status !== 200 || shown.length !== pageSize) throw new Error(`answered ${status} with ${shown.length} messages`);
    return ms;
  };
  const measured: MeasuredPair<number>[] = [];
  // The first window warms up.
  for (let i = 0; i <= pairs; i++) {
    const ms: { readonly ours: number[]; readonly baseline: number[] } = { ours: [], baseline: [] };
    for (const until = performance.now() + windowMs; performance.now() < until;) {
      ms.ours.push(await took(long));
      ms.baseline.push(await took(short));
    }
    measured.push({ ours: medianOf(ms.ours), baseline: medianOf(ms.baseline) });
  }
  return measured.slice(1);
}

const medianOf = (values: readonly number[]): number =>
  percentile(
    values.toSorted((a, b) => a - b),
    50,
  );

/** Compares rows read with rows returned, in the long chat. */
async function readRows({ content: { long }, ...filled }: Filled<Histories>, { world, note }: BenchOptions): Promise<ResultRow[]> {
  const read = await rowsReaders[world]({ content: undefined, ...filled }, long);
  return Object.entries(read).map(([what, { read: ours, returned, plans }]) => {
    note(`${what}: ${plans.join("; ")}`);
    const measured = [{ ours, baseline: returned }];
    return rowOf(
      { question: `${what}: rows read, against rows returned`, unit: "rows", of: (rows) => rows, target: { atMost: 1 } },
      measured,
    );
  });
}

type RowsReader = (filled: Filled<unknown>, long: History) => Promise<Readonly<Record<string, RowsRead>>>;

const rowsReaders: Readonly<Record<BenchMode, RowsReader>> = {
  async embedded(filled, long) {
    const { chatId, n, reader } = long;
    await filled.stopServer();
    return {
      "a page from anywhere": await readFromSqlite(filled, reader.id, async ({ db }) => {
        await firstMembers(db, chatId);
        await messagesBefore(db, chatId, 0, n / 2, pageSize);
      }),
      "a sync of 50 changes": await readFromSqlite(filled, reader.id, (context) => sync(context, since(long))),
    };
  },
  async mesh(filled, long) {
    return {
      "a page from anywhere": await readFromMongo(filled, () => questions[1]!.ask(long)),
      "a sync of 50 changes": await readFromMongo(filled, () => questions[2]!.ask(long)),
    };
  },
};

export const history: Bench = {
  name: "history",
  title: "A chat of 1,000,000 messages, against one of 1,000",
  worlds: ["embedded", "mesh"],
  run,
};
