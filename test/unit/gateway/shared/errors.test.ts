/** Tests what a client sees of an error, and what is hidden from it. */
import { describe, expect, test } from "@jest/globals";
import { Errors } from "moleculer";
import { Conflict, DomainError, Invalid, TooMany, Unavailable } from "../../../../core/errors.ts";
import { publicError, socketError } from "../../../../services/gateway/shared/errors.ts";

const where = { action: "chat.send", nodeID: "inner-node-7" };

describe("an error of ours", () => {
  test("keeps its code, status, message and details", () => {
    expect(publicError(new Conflict("Taken"))).toEqual({ status: 409, code: "CONFLICT", message: "Taken" });
    const details = [{ field: "name", message: "must not be blank" }];
    expect(publicError(new Invalid("Bad", details))).toEqual({ status: 400, code: "VALIDATION", message: "Bad", details });
    expect(publicError(new TooMany(1500))).toMatchObject({ status: 429, code: "RATE_LIMITED", retryAfterMs: 1500 });
    expect(publicError(new Unavailable())).toMatchObject({ status: 503, code: "UNAVAILABLE", retryAfterMs: 1000 });
  });
  test("is recognised by its type after losing its class on the wire", () => {
    const crossed = Object.assign(new Error("Taken"), { type: "CONFLICT", code: 409, data: {} });
    expect(publicError(crossed)).toEqual({ status: 409, code: "CONFLICT", message: "Taken" });
  });
  test("hides an internal text", () => {
    expect(publicError(new DomainError("INTERNAL", "secret detail"))).toMatchObject({
      status: 500,
      message: "Something went wrong on our side",
    });
  });
});

describe("an error of Moleculer's", () => {
  test("that means `not now` is UNAVAILABLE and names no node or action", () => {
    const errors = [
      new Errors.ServiceNotFoundError(where),
      new Errors.ServiceNotAvailableError(where),
      new Errors.RequestTimeoutError(where),
      new Errors.RequestSkippedError(where),
      new Errors.RequestRejectedError(where),
      new Errors.QueueIsFullError(where),
      new Errors.MaxCallLevelError({ nodeID: "inner-node-7", level: 9 }),
      new Errors.MoleculerRetryableError("The transporter of inner-node-7 has disconnected", 502, "BAD_GATEWAY"),
    ];
    for (const error of errors) {
      const shown = publicError(error);
      expect(shown).toMatchObject({ status: 503, code: "UNAVAILABLE", retryAfterMs: 1000 });
      expect(JSON.stringify(shown)).not.toMatch(/inner-node-7|chat\.send/);
    }
  });
  test("of validation names the fields", () => {
    const error = new Errors.ValidationError("Parameters validation error!", "VALIDATION_ERROR", [
      { type: "required", field: "text", message: "The 'text' field is required." },
    ]);
    expect(publicError(error)).toEqual({
      status: 400,
      code: "VALIDATION",
      message: "The 'text' field is required.",
      details: [{ field: "text", message: "The 'text' field is required." }],
    });
  });
});

test("anything else is INTERNAL with a fixed text", () => {
  for (const odd of [new Error("connect ECONNREFUSED 10.0.0.5:27017"), new TypeError("x is undefined"), "text", null, undefined, {}]) {
    expect(publicError(odd)).toEqual({ status: 500, code: "INTERNAL", message: "Something went wrong on our side" });
  }
});

test("a socket gets the code, the message and the time to wait before a retry", () => {
  expect(socketError(new TooMany(250, "Slow down"))).toEqual({ code: "RATE_LIMITED", message: "Slow down", retryAfterMs: 250 });
  expect(socketError(new Invalid("Bad", [{ field: "a", message: "b" }]))).toEqual({ code: "VALIDATION", message: "Bad" });
});
