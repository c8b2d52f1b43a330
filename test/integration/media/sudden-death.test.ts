/** Embedded: a process killed at any step of taking a file in, or of letting it go, leaves nothing behind in the end. */
import { once } from "node:events";
import { readdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { eventually } from "../../support/eventually.ts";
import { factory } from "../../support/people/factory.ts";
import { gpsPhoto } from "../../support/files/images.ts";
import { startEmbedded, temporaryFolder } from "../../support/servers/server.ts";
import { download, file, sendFile, text } from "../../support/files/uploads.ts";

const shortGrace = { UPLOAD_GRACE_MS: "10000" };
const unfinished = "unfinished";

async function blobsIn(dataDir: string): Promise<string[]> {
  const names = await readdir(join(dataDir, "blobs"), { recursive: true });
  return names.filter((name) => name !== unfinished);
}
async function spooledIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => /^parley-[0-9a-f]{8}-[0-9a-f]{4}-/.test(name));
}

test.concurrent.each(["media.written", "media.inspected", "media.admitted"])(
  "after a death at %s the send can be repeated, and the bytes are swept",
  async (point) => {
    const [dataDir, spoolFolder] = [await temporaryFolder(), await temporaryFolder()];
    // Other servers spool beside it, to the system's folder.
    const ownSpool = { TMPDIR: spoolFolder };
    const first = await startEmbedded({ dataDir });
    const { a, b, chatId } = await factory(() => [first.url]).pair();
    await first.stop();

    const doomed = await startEmbedded({ dataDir, env: { FAULTS: `${point}=kill`, ...ownSpool } });
    const photo = await gpsPhoto(200, 100);
    const send = (url: string) => sendFile(a.at(url), chatId, file(photo, "photo.jpg"), text("clientId", "once"));
    await expect(send(doomed.url)).rejects.toThrow();
    expect(await doomed.exited).toEqual({ code: null, signal: "SIGKILL" });
    expect((await blobsIn(dataDir)).length).toBeGreaterThan(0);
    expect(await spooledIn(spoolFolder)).toEqual([]);

    const third = await startEmbedded({ dataDir, env: { ...shortGrace, ...ownSpool } });
    let sent = await send(third.url);
    // On a slow machine half the grace can be over before the message is stored: the answer is then to send it again.
    for (let time = 1; sent.status === 409 && time < 20; time++) sent = await send(third.url);
    expect(sent.status).toBe(201);
    const { _id, url } = sent.body.file;
    await eventually(
      "what the dead process left is gone",
      async () => (await blobsIn(dataDir)).every((name) => name.startsWith(_id)),
      120_000,
    );
    expect((await download(b.at(third.url), url)).status).toBe(200);
    await third.stop();
    for (const folder of [dataDir, spoolFolder]) await rm(folder, { recursive: true });
  },
);

test.concurrent("after a death between letting a file go and removing its bytes they are removed", async () => {
  const dataDir = await temporaryFolder();
  const doomed = await startEmbedded({ dataDir, env: { FAULTS: "media.dropped=kill" } });
  const { a, chatId } = await factory(() => [doomed.url]).pair();
  const { _id } = (await sendFile(a, chatId, file(await gpsPhoto(200, 100), "photo.jpg"))).body;
  await a.delete(`/chat/messages/${_id}`).catch(() => undefined);
  expect(await doomed.exited).toEqual({ code: null, signal: "SIGKILL" });
  expect((await blobsIn(dataDir)).length).toBeGreaterThan(0);

  const second = await startEmbedded({ dataDir, env: shortGrace });
  await eventually("the bytes are gone", async () => (await blobsIn(dataDir)).length === 0, 120_000);
  await second.stop();
  await rm(dataDir, { recursive: true });
});

test("a download that nobody reads does not delay the shutdown", async () => {
  const server = await startEmbedded();
  const { a, chatId } = await factory(() => [server.url]).pair();
  const { url } = (await sendFile(a, chatId, file(Buffer.alloc(5_000_000, 1)))).body.file;
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  socket.write(`GET ${url} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${a.token}\r\n\r\n`);
  await once(socket, "readable"); // It began, and is left where it is.
  socket.on("error", () => undefined);
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  socket.destroy();
});
