/** How the API refuses requests, and the first test of a route: it needs a session. */
import { expect, test } from "@jest/globals";
import { requestJson } from "../people/person.ts";
import type { StoryWorld } from "./story.ts";

/** Matches a refused request. */
export const refusal = (status: number, code: string): object => ({ status, body: { code, message: expect.any(String) } });

/** Declares for each route, given as method and path, the test that it answers 401 to a request without a valid session. */
export function testNeedsSession(world: StoryWorld, routes: readonly (readonly [method: string, path: string])[]): void {
  test.each(routes)("%s %s needs a session", async (method, path) => {
    for (const headers of [{}, { authorization: "Bearer nonsense" }, { cookie: "token=nonsense" }, { cookie: "other=1" }]) {
      const body = method.startsWith("P") ? { body: {} } : {};
      const answer = await requestJson(world.gateways()[0], method, path, { headers, ...body });
      expect(answer).toMatchObject(refusal(401, "UNAUTHENTICATED"));
      expect(answer.body).toMatchObject({ requestId: expect.any(String) });
    }
  });
}
