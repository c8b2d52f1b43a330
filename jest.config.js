/** Jest runs the same ES modules and TypeScript as the server does; swc strips the types. */
const common = {
  transform: { "\\.ts$": ["@swc/jest", { jsc: { target: "es2024", parser: { syntax: "typescript" } }, module: { type: "es6" } }] },
  extensionsToTreatAsEsm: [".ts"],
  testEnvironment: "node",
};

export default {
  projects: [
    { ...common, displayName: "unit", testMatch: ["<rootDir>/test/unit/**/*.test.ts"] },
    { ...common, displayName: "integration", testMatch: ["<rootDir>/test/integration/**/*.test.ts"] },
    { ...common, displayName: "stories", testMatch: ["<rootDir>/test/stories/**/*.test.ts"] },
    { ...common, displayName: "mesh", testMatch: ["<rootDir>/test/mesh/**/*.test.ts"] },
  ],
  testTimeout: 60_000,
};
