import { availableParallelism } from "node:os";

/** Jest runs the same ES modules and TypeScript as the server does; swc strips the types. */
const common = {
  transform: { "\\.ts$": ["@swc/jest", { jsc: { target: "es2024", parser: { syntax: "typescript" } }, module: { type: "es6" } }] },
  extensionsToTreatAsEsm: [".ts"],
  testEnvironment: "<rootDir>/test/support/jest/environment.js",
};
/** RabbitMQ, Redis, MongoDB, Chromium and Python, for the projects that use them. */
const infra = { globalSetup: "<rootDir>/test/support/jest/infra.setup.ts" };
/** One mesh for all stories, when there are stories to run on it; it begins with `infra`. */
const sharedMesh = {
  globalSetup: "<rootDir>/test/support/jest/mesh.setup.ts",
  globalTeardown: "<rootDir>/test/support/jest/mesh.teardown.ts",
};
const stories = { ...common, testMatch: ["<rootDir>/test/stories/**/*.test.ts"] };

export default {
  projects: [
    { ...common, displayName: "unit", testMatch: ["<rootDir>/test/unit/**/*.test.ts"] },
    { ...common, ...infra, displayName: "integration", testMatch: ["<rootDir>/test/integration/**/*.test.ts"] },
    { ...stories, displayName: "stories", globals: { parleyWorld: "embedded" } },
    { ...stories, ...sharedMesh, displayName: "stories on the mesh", globals: { parleyWorld: "mesh" } },
    { ...common, ...infra, displayName: "mesh", testMatch: ["<rootDir>/test/mesh/**/*.test.ts"] },
    {
      ...common,
      ...infra,
      displayName: "slow",
      testMatch: ["<rootDir>/test/faults/**/*.test.ts", "<rootDir>/test/fuzz/**/*.test.ts"],
    },
    { ...common, ...infra, displayName: "browser", testMatch: ["<rootDir>/test/browser/**/*.test.ts"] },
  ],
  // Of all, not of a project: Jest runs it after the projects' own, so that what used the infrastructure has ended.
  globalTeardown: "<rootDir>/test/support/jest/infra.teardown.ts",
  reporters: ["default", "<rootDir>/test/support/jest/skipped-reporter.js"],
  testTimeout: 300_000,
  // Tests mostly wait, for servers and for time: as many at once as there are cores would leave half of those idle.
  maxWorkers: Math.ceil(1.5 * availableParallelism()),
  // A test that fails half-way may leave its servers running: the run ends all the same, and they with it.
  forceExit: true,
};
