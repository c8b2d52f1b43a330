/** Jest's Node environment that also notes whether a test of the file failed, so that the servers' logs are shown then and only then. */
import { TestEnvironment } from "jest-environment-node";

export default class extends TestEnvironment {
  handleTestEvent({ name }) {
    if (name === "test_fn_failure" || name === "hook_failure") this.global.aTestFailed = true;
  }
}
