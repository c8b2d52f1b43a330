/** Creates users with unique addresses, contacts and chats for tests. Users are assigned to the gateways in turn. */
import { randomBytes } from "node:crypto";
import { Person } from "./person.ts";

const names = ["Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gina", "Hugo", "Iris", "Jon"] as const;
const run = randomBytes(4).toString("hex");
let made = 0;

/** An address that no account has. */
export const freshEmail = (): string => `person-${run}-${++made}@example.org`;

/** N people: a tuple for 2 to 4, so that a test can name each. */
export type PeopleTuple<N extends number> = N extends 2
  ? [Person, Person]
  : N extends 3
    ? [Person, Person, Person]
    : N extends 4
      ? [Person, Person, Person, Person]
      : [Person, ...Person[]];

export interface Factory {
  /** A user who has not signed up. */
  stranger(): Person;
  /** A user who is signed up and has a session. */
  person(): Promise<Person>;
  people<const N extends number>(count: N): Promise<PeopleTuple<N>>;
  /** Makes two people contacts. @returns the accepted request's id */
  befriend(a: Person, b: Person): Promise<string>;
  /** Two contacts and their chat's id. */
  pair(): Promise<{ a: Person; b: Person; chatId: string }>;
  /** A group. Its first member created it and is a contact of all others. */
  group(size: number): Promise<{ members: [Person, ...Person[]]; chatId: string }>;
  /** Closes all connections of these users. */
  disconnectAll(): void;
}

/** @param gateways  returns the URLs; called for each user, because a server starts after the tests are declared */
export function factory(gateways: () => readonly string[]): Factory {
  const everyone: Person[] = [];

  function stranger(): Person {
    const urls = gateways();
    const index = everyone.length;
    const firstName = names[index % names.length]!;
    const person = new Person(urls[index % urls.length]!, {
      firstName,
      lastName: "Example",
      emailId: freshEmail(),
      password: "Correct-Horse-7",
    });
    everyone.push(person);
    return person;
  }
  async function person(): Promise<Person> {
    const newcomer = stranger();
    expectStatus(await newcomer.signUp(), 201, "sign-up");
    return newcomer;
  }
  const people = <const N extends number>(count: N) => Promise.all(Array.from({ length: count }, person)) as Promise<PeopleTuple<N>>;

  async function befriend(a: Person, b: Person): Promise<string> {
    const invited = await a.post("/request/invite/send", { toEmail: b.emailId });
    expectStatus(invited, 201, "invite");
    const requestId: string = invited.body.data._id;
    expectStatus(await b.patch(`/request/respond/${requestId}`, { status: "accepted" }), 200, "accept");
    return requestId;
  }
  async function pair() {
    const [a, b] = await people(2);
    await befriend(a, b);
    const answer = await a.post("/chat/create-direct", { receiverId: b.id });
    expectStatus(answer, 201, "create-direct");
    return { a, b, chatId: answer.body._id as string };
  }
  async function group(size: number) {
    const members: [Person, ...Person[]] = await people(size);
    const [founder, ...others] = members;
    await Promise.all(others.map((other) => befriend(founder, other)));
    const answer = await founder.post("/chat/create-group", { name: "A group", participants: others.map(({ id }) => id) });
    expectStatus(answer, 201, "create-group");
    return { members, chatId: answer.body._id as string };
  }
  return { stranger, person, people, befriend, pair, group, disconnectAll: () => everyone.forEach((one) => one.disconnectAll()) };
}

function expectStatus({ status, body }: { status: number; body: unknown }, wanted: number, what: string): void {
  if (status !== wanted) throw new Error(`${what} answered ${status} instead of ${wanted}: ${JSON.stringify(body)}`);
}
