/** Two chat nodes change one group's members, roles, messages and reactions concurrently, because routing is switched off. */
import { expect, test } from "@jest/globals";
import type { Message } from "../../../services/chat/contract.ts";
import { describeMesh } from "../../support/systems/describe-with.ts";
import { ownMesh } from "../../support/systems/own-mesh.ts";
import type { ApiResponse, Person, Received } from "../../support/people/person.ts";
import { seeded } from "../../support/random.ts";

const rounds = 60;
const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
const emojis = ["👍", "❤️", "😂"] as const;

describeMesh("Two chat nodes that write to one group", () => {
  const own = ownMesh({ env: { ROUTING: "off" } });
  const { made } = own;

  async function whole(who: Person, path: string): Promise<Received[]> {
    const all: Received[] = [];
    for (let next: string | undefined = path; next !== undefined;) {
      const { body, headers }: ApiResponse = await who.get(next);
      all.push(...(body.data ?? body));
      next = /<([^>]+)>; rel="next"/.exec(headers.get("link") ?? "")?.[1];
    }
    return all;
  }

  test("leave members, counts, admins and reactions that agree with the group's system messages", async () => {
    process.stderr.write(`two writers to a group: SEED=${seed}\n`);
    const chance = seeded(seed);
    const { members: people, chatId } = await made.group(8);
    for (const a of people) for (const b of people.slice(1)) if (a.id < b.id && a !== people[0]) await made.befriend(a, b);
    const keeper = people[0];
    const at = (who: Person) => who.at(own.mesh.gateways[chance() < 0.5 ? 0 : 1]);
    const pick = <T>(all: readonly T[]): T => all[Math.floor(chance() * all.length)]!;
    const message = (await keeper.post("/chat/messages", { chatId, text: "react" })).body as Message;
    const acts: readonly ((who: Person, other: Person) => Promise<ApiResponse>)[] = [
      (_, other) => at(keeper).put("/chat/add-to-group", { chatId, userIdToAdd: other.id }),
      (who, other) => at(who).put("/chat/add-to-group", { chatId, userIdToAdd: other.id }),
      (who, other) => at(who).put("/chat/remove-from-group", { chatId, userIdToRemove: other === keeper ? who.id : other.id }),
      (who) => (who === keeper ? at(keeper).get("/auth/me") : at(who).put("/chat/leave-group", { chatId })),
      (_, other) => at(keeper).put(`/chat/groups/${chatId}/admins/${other.id}`),
      (who, other) => (other === keeper ? at(who).get("/auth/me") : at(who).delete(`/chat/groups/${chatId}/admins/${other.id}`)),
      (who) => at(who).put(`/chat/messages/${message._id}/reactions/${encodeURIComponent(pick(emojis))}`),
      (who) => at(who).delete(`/chat/messages/${message._id}/reactions/${encodeURIComponent(pick(emojis))}`),
      (who) => at(who).post("/chat/messages", { chatId, text: "and on" }),
      () => at(keeper).patch(`/chat/messages/${message._id}`, { text: `react ${chance()}` }),
    ];
    const statuses: Record<number, number> = {};
    for (let round = 0; round < rounds; round++) {
      const answers = await Promise.all(Array.from({ length: 8 }, () => pick(acts)(pick(people), pick(people))));
      for (const { status } of answers) statuses[status] = (statuses[status] ?? 0) + 1;
    }
    process.stderr.write(`two writers to a group: ${JSON.stringify(statuses)}\n`);
    expect(Object.keys(statuses).filter((status) => Number(status) >= 500)).toEqual([]);

    const history: Message[] = await whole(keeper, `/chat/messages/${chatId}?after=0&limit=200`);
    expect(history.map(({ n }) => n)).toEqual(history.map((_, index) => index + 1));
    expect(new Set(history.map(({ seq }) => seq)).size).toBe(history.length);
    const roles = rolesAfter(history, people, keeper);
    const members = await whole(keeper, `/chat/members/${chatId}?limit=3`);
    expect(new Map(members.map(({ userId, role }) => [userId, role]))).toEqual(roles);
    const [view] = (await keeper.get("/chat/my-chats")).body.filter(({ _id }: { _id: string }) => _id === chatId);
    expect(view).toMatchObject({ memberCount: roles.size, lastN: history.length });
    expect(view.admins.toSorted()).toEqual(
      [...roles]
        .filter(([, role]) => role === "admin")
        .map(([id]) => id)
        .sort(),
    );
    for (const { count, userIds } of Object.values(history[message.n - 1]!.reactions)) expect(new Set(userIds).size).toBe(count);
  });
});

/** Replays the group's system messages, and expects each to be possible. @returns the members' roles after them */
function rolesAfter(history: readonly Message[], people: readonly Person[], keeper: Person): Map<string, string> {
  const roles = new Map(people.map(({ id }) => [id, id === keeper.id ? "admin" : "member"]));
  for (const { system, senderId } of history) {
    for (const userId of system?.userIds ?? []) {
      if (system!.event === "added") roles.set(userId, "member");
      if (system!.event === "removed" || system!.event === "left") expect(roles.delete(userId)).toBe(true);
      if (system!.event === "adminAdded" || system!.event === "adminRemoved") {
        expect(roles.get(userId)).toBe(system!.event === "adminAdded" ? "member" : "admin");
        roles.set(userId, system!.event === "adminAdded" ? "admin" : "member");
      }
    }
    expect([senderId, roles.has(senderId) || system?.event === "left"]).toEqual([senderId, true]);
  }
  return roles;
}
