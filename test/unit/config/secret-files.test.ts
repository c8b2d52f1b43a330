/** Tests secrets in files: every secret variable has a `_FILE` variable, and a bad file causes one line that does not contain the secret. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { ConfigError, readConfig, variables } from "../../../core/config/config.ts";
import { configTable } from "../../../scripts/generate/config-table.ts";
import { withTable } from "../../../scripts/generate/markdown-table.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-secrets-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function holding(text: string): string {
  const path = join(folder, String(files++));
  writeFileSync(path, text);
  return path;
}
const complaints = (env: Parameters<typeof readConfig>[0]): readonly string[] => {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.lines;
    throw error;
  }
  return [];
};

const values = {
  AMQP_URL: "amqp://parley:pass@rabbitmq",
  REDIS_URL: "redis://:pass@redis",
  MONGO_URI: "mongodb://mongo/?replicaSet=rs0",
  CLOUDINARY_URL: "cloudinary://key:pass@cloud",
  JWT_SECRET: "s".repeat(32),
  JWT_OLD_SECRETS: "o".repeat(32),
};

test("a value is the same from the variable and from a file, with or without a newline at the end", () => {
  for (const end of ["", "\n", "\r\n"]) {
    const twins = Object.fromEntries(Object.entries(values).map(([name, value]) => [`${name}_FILE`, holding(`${value}${end}`)]));
    expect(readConfig(twins)).toEqual(readConfig(values));
  }
});

test("an empty _FILE variable counts as unset", () => {
  expect(readConfig({ ...values, JWT_SECRET_FILE: " " })).toEqual(readConfig(values));
});

test("a variable and its _FILE variable together are refused", () => {
  expect(complaints({ ...values, JWT_SECRET_FILE: holding(values.JWT_SECRET) })).toEqual([
    "JWT_SECRET and JWT_SECRET_FILE are both set: set one of them",
  ]);
});

describe("a file without a secret causes one line that names the variable and the file", () => {
  test.each([
    ["missing", () => join(folder, "missing"), "does not exist"],
    ["below a file", () => join(holding("x"), "inner"), "does not exist"],
    ["a folder", () => folder, "is not a regular file"],
    // A regular file whose first bytes nobody can read: the tests may run as root, whom file permissions do not stop.
    ["unreadable", () => "/proc/self/mem", "can't be read: EIO"],
    ["empty", () => holding(""), "is empty"],
    ["only a newline", () => holding("\n"), "is empty"],
    ["too large", () => holding("s".repeat(65_537)), "is larger than 64 KiB"],
  ])("%s", (_what, path, reason) => {
    const file = path();
    expect(complaints({ JWT_SECRET_FILE: file })).toEqual([`JWT_SECRET_FILE names ${file}, which ${reason}`]);
  });

  test("a bad value is named with its file, and not repeated", () => {
    const file = holding("hunter2");
    expect(complaints({ JWT_SECRET_FILE: file })).toEqual([`JWT_SECRET (from ${file}) must be at least 32 characters long`]);
  });
  test("every bad file is named", () => {
    expect(complaints({ JWT_SECRET_FILE: "/nowhere", REDIS_URL_FILE: "/nowhere", PORT: "x" })).toHaveLength(3);
  });
});

test("the README names every variable with a _FILE variable, and each that may hold a credential has one", async () => {
  const secrets = Object.entries(variables).flatMap(([name, { isSecret }]) => (isSecret ? [name] : []));
  const text = await withTable(configTable, "<!-- config -->\n<!-- /config -->");
  const below = text.slice(text.lastIndexOf("|"));
  for (const name of secrets) expect(below).toContain(`\`${name}\``);
  const credentials = Object.keys(variables).filter((name) => /SECRET|PASSWORD$|TOKEN|KEY$|_UR[IL]$/.test(name) && name !== "PUBLIC_URL");
  expect(secrets).toEqual(expect.arrayContaining(credentials));
});
