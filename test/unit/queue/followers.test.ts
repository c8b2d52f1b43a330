/** Tests the map of followers: each event has one, and each follower handles its events. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { events, returns, type EventRef } from "../../../core/contract/contract.ts";
import { follow, followings, type DeclaredFollowing } from "../../../mixins/follower.ts";
import { allSchemas, allServiceData } from "../../../scripts/operator/service-data.ts";
import { releasedFileEvents } from "../../../services/file-users.ts";
import { followed, followers } from "../../../services/followers.ts";

const services = new URL("../../../services/", import.meta.url);

describe("The map of followers", () => {
  test("has a service for each group, and contains every group that a service follows", async () => {
    const schemas = await allSchemas();
    const groups = schemas.flatMap(({ name, mixins = [] }) =>
      (mixins as Partial<DeclaredFollowing>[]).flatMap(({ follows }) => (follows === undefined ? [] : [{ name, follows }])),
    );
    expect(groups.map(({ follows }) => follows).sort()).toEqual(Object.keys(followed).sort());
    expect(groups.filter(({ name, follows }) => name !== follows)).toEqual([]);
  });

  test("has a follower of each event that a service announces: without one an event would stay in its outbox", async () => {
    const folders = readdirSync(services, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const contracts = await Promise.all(
      folders.map(({ name }) => import(new URL(`${name}/contract.ts`, services).href).catch(() => ({})) as Promise<object>),
    );
    const announced = contracts
      .flatMap((exported) => Object.entries(exported))
      .filter(([name]) => name.endsWith("Events"))
      .flatMap(([, declared]) => Object.values(declared as Record<string, EventRef>).map(({ topic }) => topic));
    expect(announced.length).toBeGreaterThan(9);
    expect(new Set(Object.values(followers).flat())).toEqual(new Set(announced));
  });

  test("has events only of services that announce their state again after a restore; media itself asks which files were released", async () => {
    const announcing = (await allServiceData()).filter(({ restoring }) => restoring?.announceState !== undefined);
    const released = releasedFileEvents.map(({ topic }) => topic as string);
    const topics = Object.values(followers)
      .flat()
      .filter((topic) => !released.includes(topic));
    const known = announcing.map(({ service }) => service);
    expect(topics.filter((topic) => !known.includes(topic.split(".", 1)[0]!))).toEqual([]);
  });

  test("has an arrow for each group and each announcing service in docs/architecture.md", () => {
    const page = readFileSync(new URL("../../../docs/architecture.md", import.meta.url), "utf8");
    const arrows = [...page.matchAll(/^ {2}queue -- (.+) --> (.+)$/gm)].flatMap(([, events, groups]) =>
      groups!.split(" & ").flatMap((group) => events!.split(", ").map((event) => `${group} follows ${event}`)),
    );
    const sources = /^ {2}(.+) -- outbox --> queue$/m.exec(page)![1]!.split(" & ");
    const isDrawn = (group: string, topic: string) =>
      arrows.includes(`${group} follows ${topic}`) ||
      arrows.includes(`${group} follows ${topic.split(".").slice(0, -1).join(".")}.*`) ||
      arrows.includes(`${group} follows ${topic.split(".", 1)[0]}.*`);
    const missing = Object.entries(followers).flatMap(([group, topics]) => topics.filter((topic) => !isDrawn(group, topic)));
    expect(missing).toEqual([]);
    const announcing = Object.values(followers).flatMap((topics) => topics.map((topic) => topic.split(".", 1)[0]!));
    expect(sources.sort()).toEqual([...new Set(announcing)].sort());
  });

  test("is passed to the queue", () => {
    expect(followers).toMatchObject({ media: ["chat.file.dropped", "profile.picture.dropped"] });
  });
});

test("a group handles each event that it follows, with its payload, and no other: else it does not compile", () => {
  const noteEvents = events("note", { written: returns<{ readonly text: string }>(), erased: returns<null>() });
  const { shelf } = followings({ shelf: Object.values(noteEvents) });
  const nothing = () => Promise.resolve();
  const read = (_context: object, { payload }: { payload: { text: string } }) =>
    payload.text === "" ? Promise.reject(new Error("empty")) : nothing();
  const mixins = [
    () => follow(shelf, { "note.written": read, "note.erased": nothing }),
    // @ts-expect-error an event without a handler
    () => follow(shelf, { "note.written": read }),
    // @ts-expect-error a handler of an event that the group does not follow
    () => follow(shelf, { "note.written": read, "note.erased": nothing, "note.read": nothing }),
    // @ts-expect-error a handler of another payload
    () => follow(shelf, { "note.written": read, "note.erased": read }),
    // @ts-expect-error a group that is not in the map
    () => follow({ group: "shelf" }, {}),
  ];
  expect(mixins).toHaveLength(5);
  expect(mixins[0]!()).toMatchObject({ follows: "shelf" });
});
