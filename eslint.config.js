/** Typed lint rules, and the arrows of docs/architecture.md: who may import whom. */
import eslint from "@eslint/js";
import tseslint from "typescript-eslint";

/** Forbids imports whose path matches one of the patterns, with the reason. */
const forbid = (files, patterns, message, ignores = []) => ({
  files,
  ignores,
  rules: { "no-restricted-imports": ["error", { patterns: [{ regex: patterns.join("|"), message }] }] },
});
const toServices = String.raw`/services/`;
const toMixins = String.raw`/mixins/`;
const anotherService = String.raw`(?!\.\./)[a-z]+/(?!contract\.ts$|documents\.ts$)`;
const serviceArrows = "a service imports core's ports, mixins, its own folder and others' contract.ts";
const mediaArrows = "media imports no other service: services/file-users.ts names those that use files";
const socketArrows = `${serviceArrows}; the gateway's sockets import nothing from its http/`;
const sharedArrows = `${serviceArrows}; what the gateway's folders share imports none of them`;
/** Chat's folders. Each imports only those before it. */
const chatFolders = ["store", "timeline", "files", "reads", "receipts", "membership", "messages"];
const chatArrows = `${serviceArrows}; chat's folders import only those before them: ${chatFolders.join(", ")}`;
const toAdapters = String.raw`/core/(?:store/(?!store\.ts|commit-with-retry\.ts|contents\.ts|migrate\.ts|migrations\.ts)|feed/(?!feed\.ts)|queue/(?!queue\.ts)|cache/(?!cache\.ts)|limits/(?!limits\.ts)|blobs/(?!blobs\.ts))`;

/** Asks for the reason behind a rule that is disabled: `eslint-disable-next-line RULE -- REASON`. */
const disabling = {
  rules: {
    reason: {
      create: (context) => ({
        Program() {
          for (const { value, loc } of context.sourceCode.getAllComments()) {
            if (/^\s*eslint-disable/.test(value) && !/\s--\s+\S/.test(value)) context.report({ loc, message: "say why, after --" });
          }
        },
      }),
    },
  },
};

export default tseslint.config(
  { ignores: ["node_modules/", "data/", "coverage/", "client/dist/"] },
  eslint.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: { allowDefaultProject: ["*.js", "scripts/*.cjs"] }, tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    plugins: { disabling },
    rules: {
      "disabling/reason": "error",
      "no-console": "error",
      "no-restricted-properties": ["error", { object: "process", property: "env", message: "core/config/config.ts reads the environment" }],
      "no-restricted-syntax": [
        "error",
        {
          selector:
            "CallExpression[callee.property.name=/^(call|emit|broadcast)$/][callee.object.name=/^(ctx|broker)$/] > Literal.arguments:first-child",
          message: "name an action by its contract: call(ctx, chat.send, {...})",
        },
        {
          selector: "TSAsExpression > TSAsExpression, TSAsExpression > TSNeverKeyword",
          message: "it turns any type into any other: declare the type, or disable this here with the reason",
        },
      ],
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/no-unnecessary-type-parameters": "off",
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: { arguments: false, properties: false } }],
      "@typescript-eslint/prefer-promise-reject-errors": "off",
      "@typescript-eslint/only-throw-error": "off",
    },
  },
  {
    files: ["core/config/config.ts", "moleculer.config.ts", "test/**", "scripts/**"],
    rules: { "no-restricted-properties": "off", "no-console": "off" },
  },
  {
    // What servers send is any in tests: `Received` in test/support/people/person.ts.
    files: ["test/**"],
    rules: {
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-call": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/no-unsafe-return": "off",
    },
  },
  { files: ["**/*.js", "**/*.cjs"], ...tseslint.configs.disableTypeChecked },
  {
    files: ["**/*.js", "**/*.cjs"],
    languageOptions: { globals: { process: "readonly", console: "readonly", require: "readonly", module: "readonly" } },
  },
  {
    files: ["client/**"],
    rules: {
      "@typescript-eslint/no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              regex: String.raw`^(?:\.\./)+services/\w+/documents\.ts$`,
              allowTypeImports: true,
              message: "client imports types only",
            },
            {
              regex: String.raw`^(?!\.{1,2}/|socket\.io-client$)|^(?:\.\./)+(?:core|mixins|test|scripts|bench)/|^(?:\.\./)+services/(?!\w+/documents\.ts$)`,
              message: "client imports socket.io-client, its own files, and types of the services' documents.ts",
            },
          ],
        },
      ],
      "no-restricted-globals": ["error", "Buffer", "process", "require", "setImmediate", "global", "__dirname"],
    },
  },
  forbid(["core/**"], [toServices, toMixins], "core imports nothing of ours"),
  forbid(["mixins/**"], [toServices, toAdapters], "mixins import core's ports, not services or adapters"),
  forbid(["services/*/*.ts"], [String.raw`^\.\./${anotherService}`, toAdapters], serviceArrows),
  forbid(["services/*/*/*.ts"], [String.raw`^\.\./\.\./${anotherService}`, toAdapters], serviceArrows),
  forbid(["services/*/*/*/**"], [String.raw`^\.\./\.\./\.\./${anotherService}`, toAdapters], serviceArrows),
  // The last entry for a file wins, so these and the following repeat the services' patterns.
  ...chatFolders
    .slice(0, -1)
    .map((folder, index) =>
      forbid(
        [`services/chat/${folder}/*.ts`],
        [String.raw`^\.\./\.\./${anotherService}`, toAdapters, String.raw`^\.\./(?:${chatFolders.slice(index + 1).join("|")})/`],
        chatArrows,
      ),
    ),
  // Users of files are in services/file-users.ts: a new one must not change media.
  forbid(["services/media/*.ts"], [String.raw`^\.\./(?!\.\./)[a-z]+/`, toAdapters], mediaArrows),
  forbid(["services/media/*/*.ts"], [String.raw`^\.\./\.\./(?!\.\./)[a-z]+/`, toAdapters], mediaArrows),
  forbid(["services/gateway/socket/*.ts"], [String.raw`^\.\./\.\./${anotherService}`, toAdapters, "/http/"], socketArrows),
  forbid(["services/gateway/socket/*/*.ts"], [String.raw`^\.\./\.\./\.\./${anotherService}`, toAdapters, "/http/"], socketArrows),
  forbid(["services/gateway/shared/*.ts"], [String.raw`^\.\./\.\./${anotherService}`, toAdapters, "/(?:http|socket|docs)/"], sharedArrows),
);
