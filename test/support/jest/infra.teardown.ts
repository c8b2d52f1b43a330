/** Jest's globalTeardown: stops what `infra.setup.ts` started. */
export { tearDownInfra as default } from "./infra.setup.ts";
