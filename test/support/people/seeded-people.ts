/**
 * Creates many users without the minutes that hashing their passwords would take: writes their accounts to the store and signs
 * their tokens with the server's secret. They cannot log in with a password.
 */
import { openSqliteStore } from "../../../core/store/sqlite/store.ts";
import { newId } from "../../../core/ids.ts";
import { firstEra } from "../../../core/node/installation.ts";
import { insert, type Store } from "../../../core/store/store.ts";
import { signToken } from "../../../core/security/access-tokens.ts";
import { accounts } from "../../../services/auth/accounts.repository.ts";
import { outbox } from "../../../mixins/relay.ts";
import { sessions } from "../../../services/auth/sessions/sessions.repository.ts";
import { Person } from "./person.ts";

const ignore = () => undefined;
const quiet = { fatal: ignore, error: ignore, warn: ignore, info: ignore, debug: ignore, trace: ignore };
const dayMs = 24 * 60 * 60_000;
const atOnce = 200;

/** Creates users in a data folder whose server is not running. @param url  the server's URL */
export async function seededPeople(dataDir: string, secret: string, url: string, count: number): Promise<Person[]> {
  const store = await openSqliteStore(dataDir, { log: quiet });
  try {
    return await seedPeople(store, secret, [url], count);
  } finally {
    await store.close();
  }
}

/** Creates users in a store; call it once. They are assigned to the gateways in turn. */
export async function seedPeople(store: Store, secret: string, urls: readonly string[], count: number): Promise<Person[]> {
  const db = await store.open("auth", [accounts, sessions, outbox]);
  const now = Date.now();
  const people = Array.from({ length: count }, (_, i) => {
    const url = urls[i % urls.length]!;
    const person = new Person(url, { firstName: `Member${i}`, lastName: "Example", emailId: `member-${i}@example.org`, password: "" });
    person.id = newId();
    person.token = signToken({ userId: person.id, sessionId: newId(), era: firstEra, expiresAt: now + dayMs }, [secret], now);
    return person;
  });
  for (let i = 0; i < count; i += atOnce) {
    const rows = people
      .slice(i, i + atOnce)
      .map(({ id: _id, emailId, firstName, lastName }) =>
        insert(accounts, { _id, emailId, firstName, lastName, passwordHash: "", passwordRev: 0, rev: 1, createdAt: now }),
      );
    await db.commit(rows);
  }
  return people;
}
