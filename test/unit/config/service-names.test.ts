/** The services' names are those of their files. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "@jest/globals";
import { serviceNames, serviceNamesIn } from "../../../core/service-names.ts";
import { allSchemas } from "../../../scripts/operator/service-data.ts";

test("a folder with a file of its name is a service", () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-services-"));
  for (const file of [
    "wave/wave.service.ts",
    "chat/chat.service.ts",
    "chat/contract.ts",
    "page/layout.ts",
    "odd/other.service.ts",
    "map.ts",
  ]) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), "");
  }
  expect(serviceNamesIn(folder)).toEqual(["chat", "wave"]);
  rmSync(folder, { recursive: true });
});

test("each file that moleculer-runner loads is one of them, and bears its name", async () => {
  expect((await allSchemas()).map(({ name }) => name).sort()).toEqual(serviceNames);
});
