/**
 * Jest's Node environment, extended: it records whether a test of the file failed, so that the servers' logs are shown only then, and it
 * stops what the file left running (`cleanup-on-exit.ts`).
 */
import { TestEnvironment } from "jest-environment-node";

export default class extends TestEnvironment {
  handleTestEvent({ name }) {
    if (name === "test_fn_failure" || name === "hook_failure") this.global.aTestFailed = true;
  }

  async setup() {
    await super.setup();
    // Jest copies the process's globals into the file's. With a shared set the file would stop what `globalSetup` started.
    this.global.endings = new Set();
  }

  async teardown() {
    try {
      // In reverse order: a server before the disk it writes to.
      for (const end of [...(this.global?.endings ?? [])].reverse()) end();
    } finally {
      await super.teardown();
    }
  }
}
