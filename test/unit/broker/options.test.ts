/** The environment variables that would overwrite the broker's options. */
import { describe, expect, test } from "@jest/globals";
import { overwritingVariables } from "../../../core/broker/options.ts";

describe("the environment variables that would overwrite the broker's options", () => {
  test("are those that begin with MOL_, even when empty", () => {
    expect(overwritingVariables({}, { MOL_REQUEST_TIMEOUT: "", MOL_NAMESPACE: "other" })).toEqual(["MOL_REQUEST_TIMEOUT", "MOL_NAMESPACE"]);
  });

  test("are those named like an option, unless empty", () => {
    const options = { metadata: { routing: "random" } };
    expect(overwritingVariables(options, { METADATA_ROUTING: "other", REGISTRY_PREFERLOCAL: "true" })).toEqual([
      "METADATA_ROUTING",
      "REGISTRY_PREFERLOCAL",
    ]);
    expect(overwritingVariables(options, { METADATA_ROUTING: "", PORT: "3000" })).toEqual([]);
  });
});
