/**
 * Tests contracts at run time and in the compiler. Types are asserted where they are used: a wrong type fails `npm run types`, and so does
 * a `@ts-expect-error` without an error.
 */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ServiceBroker, Validators } from "moleculer";
import { call, type Ctx } from "../../../core/contract/call.ts";
import { contract, events, returns, type ActionRef, type EventRef } from "../../../core/contract/contract.ts";
import { channel, type Feed } from "../../../core/feed/feed.ts";
import { newId } from "../../../core/ids.ts";
import { defaultCallPolicy } from "../../../core/contract/call-policy.ts";
import { emailAddress, id, pageLimit } from "../../../core/contract/rules.ts";
import type { Infer, Input } from "../../../core/contract/schema.ts";
import { service, type Mixin } from "../../../core/contract/service.ts";
import type { Complete } from "../../../core/store/store.ts";

/** True when the two types are the same, and not merely assignable. */
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(...differ: Equal<A, B> extends true ? [] : [never]): void => expect(differ).toEqual([]);
/** Whether the validator accepts the value, to compare the types with the check at run time. */
const passes = (rules: object, value: object): boolean => new Validators.Fastest().compile({ ...rules })({ ...value }) === true;

interface Note {
  readonly _id: string;
  readonly text: string;
}
const notes = contract("notes", {
  write: {
    summary: "Keep a note",
    access: "user",
    params: { text: { type: "string", min: 1, max: 10 }, color: { type: "string", enum: ["red", "blue"], default: "red" } },
    result: returns<Note>(),
    policy: { timeoutMs: 100, retries: 2 },
  },
  list: {
    summary: "One's notes",
    access: "service",
    params: { ownerId: id, limit: pageLimit },
    result: returns<Note[]>(),
    routeBy: "ownerId",
  },
});

describe("types", () => {
  test("a rule becomes the type of its value", () => {
    const rules = {
      string: { type: "string" },
      one: { type: "string", enum: ["a", "b"] },
      email: emailAddress,
      number: { type: "number", integer: true },
      flag: { type: "boolean" },
      anything: { type: "any" },
      list: { type: "array", items: id },
      deep: { type: "object", props: { x: { type: "number" }, y: { type: "string", optional: true } } },
      map: { type: "record", key: id, value: { type: "number" } },
      orNull: { type: "string", nullable: true },
    } as const;
    type Expected = {
      string: string;
      one: "a" | "b";
      email: string;
      number: number;
      flag: boolean;
      anything: unknown;
      list: string[];
      deep: { x: number; y?: string | undefined };
      map: { [key: string]: number };
      orNull: string | null;
    };
    same<Infer<typeof rules>, Expected>();
    same<Input<typeof rules>, Expected>();
    const value: Expected = {
      string: "x",
      one: "a",
      email: "ada@example.org",
      number: 1,
      flag: true,
      anything: [],
      list: [newId()],
      deep: { x: 1 },
      map: { [newId()]: 2 },
      orNull: null,
    };
    expect(passes(rules, value)).toBe(true);
    expect(passes(rules, { ...value, one: "c" })).toBe(false);
  });

  test("different types are distinguished", () => {
    // @ts-expect-error one type has more fields
    const more = () => same<{ a: string }, { a: string; b: string }>();
    // @ts-expect-error one type is wider
    const wider = () => same<{ a: string }, { a: string | null }>();
    expect([more, wider]).toHaveLength(2);
  });

  test("a complete row has every field, including optional ones", () => {
    same<Complete<{ a: string; b?: number }>, { readonly a: string; readonly b: number | undefined }>();
  });

  test("an optional param may be left out; one with a default may be left out by the caller, and the handler always gets it", () => {
    const rules = { must: { type: "string" }, may: { type: "number", optional: true }, usual: { type: "number", default: 50 } } as const;
    same<Input<typeof rules>, { must: string; may?: number | undefined; usual?: number | undefined }>();
    same<Infer<typeof rules>, { must: string; usual: number; may?: number | undefined }>();
    const sent: Input<typeof rules> = { must: "x" };
    expect(passes(rules, sent)).toBe(true);
  });

  test("an action's reference carries its params and result", () => {
    type Write = typeof notes.write extends ActionRef<infer P, infer R> ? [Input<P>, R] : never;
    same<Write, [{ text: string; color?: "red" | "blue" | undefined }, Note]>();
    type List = typeof notes.list extends ActionRef<infer P, infer R> ? [Infer<P>, R] : never;
    same<List, [{ ownerId: string; limit: number }, Note[]]>();
    const declared = events("notes", { written: returns<{ id: string }>() });
    same<typeof declared.written, EventRef<{ id: string }, "notes.written">>();
    expect(declared.written.topic).toBe("notes.written");
  });

  test("wrong uses do not compile", () => {
    // These are only compiled, never called.
    const uses = [
      (ctx: Ctx<unknown>) => call(ctx, notes.write, { text: "x", color: "blue" }),
      // @ts-expect-error a param is missing
      (ctx: Ctx<unknown>) => call(ctx, notes.write, {}),
      // @ts-expect-error a param has the wrong type
      (ctx: Ctx<unknown>) => call(ctx, notes.write, { text: 7 }),
      // @ts-expect-error not one of the values
      (ctx: Ctx<unknown>) => call(ctx, notes.write, { text: "x", color: "green" }),
      // @ts-expect-error an unknown param
      (ctx: Ctx<unknown>) => call(ctx, notes.write, { text: "x", title: "y" }),
      // @ts-expect-error no such action
      (ctx: Ctx<unknown>) => call(ctx, notes.erase, {}),
      // @ts-expect-error an action is named by its contract, not by a string
      (ctx: Ctx<unknown>) => call(ctx, "notes.write", { text: "x" }),
      // @ts-expect-error the result is a Note
      async (ctx: Ctx<unknown>): Promise<string> => call(ctx, notes.write, { text: "x" }),
      // @ts-expect-error it can only be routed by a param of its own
      () => contract("x", { y: { summary: "", access: "user", params: { a: id }, result: returns<null>(), routeBy: "b" } }),
      // @ts-expect-error not a kind of access
      () => contract("x", { y: { summary: "", access: "admin", params: {}, result: returns<null>() } }),
    ];
    expect(uses).toHaveLength(10);
  });

  test("both ends of a feed channel agree on its messages", () => {
    const shelf = channel<Note>("notes");
    const uses = [
      (feed: Feed) => feed.publish(shelf, { _id: "1", text: "x" }),
      // @ts-expect-error a message of another type
      (feed: Feed) => feed.publish(shelf, { n: 1 }),
      (feed: Feed) => feed.subscribe([shelf], ({ text }) => text.length),
      // @ts-expect-error the channel carries notes
      (feed: Feed) => feed.subscribe([shelf], (message: { n: number }) => message.n),
    ];
    expect(uses).toHaveLength(4);
  });

  test("a service implements its contract, all of it and nothing else", () => {
    const write = (): Note => ({ _id: "1", text: "x" });
    const list = (): Note[] => [];
    const services = [
      () => service(notes, { actions: { write, list } }),
      // @ts-expect-error an action is missing
      () => service(notes, { actions: { write } }),
      // @ts-expect-error an action that the contract does not have
      () => service(notes, { actions: { write, list, erase: write } }),
      // @ts-expect-error a result of another type
      () => service(notes, { actions: { write: list, list } }),
    ];
    expect(services).toHaveLength(4);

    const counting: Mixin<{ count: number }> = {
      created() {
        this.count = 0;
      },
    };
    service(notes, {
      mixins: [counting],
      started() {
        same<typeof this.count, number>();
      },
      actions: {
        write(ctx) {
          same<typeof ctx.params, { text: string; color: "red" | "blue" }>();
          this.count = this.double(ctx.params.text.length);
          // @ts-expect-error neither a method nor a mixin defines it
          this.counted = 1;
          return write();
        },
        list,
      },
      methods: { double: (n: number) => 2 * n },
    });
  });
});

describe("the schema that a contract becomes", () => {
  test("references are named after service and action, events after service and event", () => {
    expect(notes.write).toMatchObject({ name: "notes.write", access: "user", summary: "Keep a note" });
    expect(notes.list).toMatchObject({ name: "notes.list", service: "notes", access: "service", routeBy: "ownerId" });
    expect(notes.list.isOptional).toBeUndefined();
    const { list } = contract("spare", { list: { summary: "", access: "user", params: {}, result: returns() } }, { isOptional: true });
    expect(list).toMatchObject({ service: "spare", isOptional: true });
    expect(events("notes", { written: returns() })).toEqual({ written: { topic: "notes.written", payload: {} } });
  });

  test("access, policy and routing become settings of Moleculer's actions", () => {
    const { name, actions } = service(notes, { actions: { write: () => ({ _id: "1", text: "" }), list: () => [] } });
    expect(name).toBe("notes");
    expect(actions?.["write"]).toMatchObject({
      visibility: "published",
      access: "user",
      timeout: 100,
      retryPolicy: { enabled: true, retries: 2 },
      bulkhead: { enabled: true, ...defaultCallPolicy.bulkhead },
    });
    expect(actions?.["write"]).not.toHaveProperty("strategy");
    expect(actions?.["list"]).toMatchObject({
      visibility: "public",
      timeout: defaultCallPolicy.timeoutMs,
      retryPolicy: { enabled: false },
      strategyOptions: { key: "ownerId" },
    });
  });

  describe("in a broker", () => {
    const broker = new ServiceBroker({ logger: false, skipProcessEventRegistration: true });
    const seen: unknown[] = [];
    beforeAll(() => {
      broker.createService(
        service(notes, {
          actions: {
            write(ctx) {
              seen.push(ctx.params);
              return { _id: "1", text: ctx.params.text };
            },
            list: () => [],
          },
        }),
      );
      return broker.start();
    });
    afterAll(() => broker.stop());

    test("a call arrives with defaults, and without params that the contract does not have", async () => {
      const params: { text: string } = { text: "x", more: 1 } as { text: string };
      expect(await call(broker, notes.write, params)).toEqual({ _id: "1", text: "x" });
      expect(seen).toEqual([{ text: "x", color: "red" }]);
    });

    test("a call that breaks the rules is refused", async () => {
      await expect(call(broker, notes.write, { text: "far too long a text" })).rejects.toMatchObject({ type: "VALIDATION_ERROR" });
      await expect(call(broker, notes.list, { ownerId: "ABCDEF0123456789ABCDEF01" })).rejects.toMatchObject({ type: "VALIDATION_ERROR" });
    });
  });
});
