import { describe, expect, test } from "@jest/globals";
import { Validators } from "moleculer";
import { auth } from "../../../services/auth/contract.ts";
import { hashPassword, isPassword } from "../../../services/auth/passwords.ts";

const cost = 10;

describe("a password", () => {
  test("is stored as a hash, which differs each time", async () => {
    const [one, two] = await Promise.all([hashPassword("Correct-Horse-7", cost), hashPassword("Correct-Horse-7", cost)]);
    expect(one).not.toBe(two);
    expect(await isPassword("Correct-Horse-7", one, cost)).toBe(true);
    expect(await isPassword("Correct-Horse-8", one, cost)).toBe(false);
  });

  test("of an unknown user is always wrong, and takes as long to refuse", async () => {
    const hash = await hashPassword("Correct-Horse-7", cost);
    const timed = async (known: string | undefined) => {
      const started = performance.now();
      expect(await isPassword("Wrong-Horse-7", known, cost)).toBe(false);
      return performance.now() - started;
    };
    const times = { decoy: [] as number[], hash: [] as number[] };
    const ratio = () => Math.min(...times.decoy) / Math.min(...times.hash);
    const isAlike = () => ratio() > 0.5 && ratio() < 2;
    // What else the machine does only adds to a time: the least of many shows what the refusal takes.
    for (let i = 0; i < 5 || (i < 60 && !isAlike()); i++) {
      times.decoy.push(await timed(undefined));
      times.hash.push(await timed(hash));
    }
    expect(ratio()).toBeGreaterThan(0.5);
    expect(ratio()).toBeLessThan(2);
  });

  const check = new Validators.Fastest().compile({ password: { ...auth.signUp.params.password } });
  const isAccepted = (password: unknown) => check({ password }) === true;

  test("needs 8 characters, a lower and an upper case letter, a digit and a symbol", () => {
    expect(isAccepted("Abcdef1!")).toBe(true);
    expect(isAccepted("Ünïcödé1 !")).toBe(true);
    for (const weak of ["Abcde1!", "abcdefg1!", "ABCDEFG1!", "Abcdefgh!", "Abcdefg12", "Abcdefg1 ", "", null, 12345678, { $ne: "" }]) {
      expect({ weak, accepted: isAccepted(weak) }).toEqual({ weak, accepted: false });
    }
  });

  test("is at most 72 bytes long, because bcrypt ignores the rest", () => {
    expect(isAccepted(`Aa1!${"x".repeat(68)}`)).toBe(true);
    expect(isAccepted(`Aa1!${"x".repeat(69)}`)).toBe(false);
    expect(isAccepted(`Aa1!${"é".repeat(34)}`)).toBe(true);
    expect(isAccepted(`Aa1!${"é".repeat(35)}`)).toBe(false);
  });
});

describe("an e-mail address", () => {
  const check = new Validators.Fastest().compile({ emailId: { ...auth.signUp.params.emailId } });

  test("is trimmed and case-folded", () => {
    const params = { emailId: "  Ada@Example.ORG " };
    expect(check(params)).toBe(true);
    expect(params.emailId).toBe("ada@example.org");
  });

  test("has a name, one @ and a domain with a dot", () => {
    for (const wrong of ["", "ada", "ada@example", "@example.org", "a b@example.org", "a@b@example.org", "a@example.org ".repeat(30)]) {
      expect({ wrong, answer: check({ emailId: wrong }) === true }).toEqual({ wrong, answer: false });
    }
  });

  test("that is 90 kB of @ is refused quickly", () => {
    const before = process.cpuUsage();
    expect(check({ emailId: "@".repeat(90_000) })).not.toBe(true);
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(500);
  });
});
