/**
 * Where images are decoded: processes of their own, at most two, one image at a time each. Decoders of foreign bytes are where a
 * program is most easily brought down: here that ends a process that holds nothing, knows no secret, and gives all its memory back.
 */
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Invalid, Unavailable } from "../../core/errors.ts";
import { startTimeout } from "../../core/resilience/timeout.ts";
import { fairQueue } from "../../core/resilience/fair-queue.ts";
import type { Picture } from "./images.ts";
import type { ImageType } from "./types.ts";

/** What to make of an image: a copy for a message, or a square for a person or group. */
export type Kind = "attached" | "square";

export interface Exposure {
  readonly kind: Kind;
  /** As its bytes show. */
  readonly mimeType: ImageType;
  readonly bytes: Uint8Array;
}
/** What comes back. */
export type Developed = { readonly picture: Picture } | { readonly refusal: string };

export interface Darkroom {
  /**
   * @param who    whose image it is
   * @param fetch  asked for the bytes when it is this image's turn
   * @throws Invalid      the image can't be decoded, or is too large
   * @throws Unavailable  too many images wait, or this one took too long
   */
  readonly develop: (who: string, kind: Kind, mimeType: ImageType, fetch: () => Promise<Buffer>) => Promise<Picture>;
  readonly close: () => void;
}

const atOnce = 2;
const mostWaiting = 100;
/** Together less than what a caller waits for. */
const waitMs = 15_000;
const developWithinMs = 14_000;
/** A process without work ends then. */
const idleMs = 30_000;

const main = fileURLToPath(new URL("image-process.ts", import.meta.url));
/** Large blocks go back to the system when they are freed: glibc would keep them, a heap for each thread. */
const allocator = { MALLOC_ARENA_MAX: "1", MALLOC_MMAP_THRESHOLD_: "131072" };

export function openDarkroom(): Darkroom {
  const places = fairQueue({ name: "image_workers", atOnce, mostWaiting, waitMs });
  const idle = new Map<ChildProcess, NodeJS.Timeout>();
  const all = new Set<ChildProcess>();

  function start(): ChildProcess {
    const child = fork(main, { env: allocator, execArgv: [], serialization: "advanced", stdio: ["ignore", "ignore", "inherit", "ipc"] });
    all.add(child);
    const forget = () => {
      all.delete(child);
      clearTimeout(idle.get(child));
      idle.delete(child);
    };
    return child.once("exit", forget).on("error", forget);
  }

  function takeIdle(): ChildProcess | undefined {
    const [[child, timer] = []] = idle;
    clearTimeout(timer);
    if (child !== undefined) idle.delete(child);
    return child;
  }

  function rest(child: ChildProcess): void {
    const end = setTimeout(() => {
      idle.delete(child);
      child.disconnect();
    }, idleMs);
    idle.set(child, end.unref());
  }

  async function exposed(child: ChildProcess, exposure: Exposure): Promise<Developed | Failure> {
    const developed = await answerOf(child, exposure);
    if (typeof developed === "object") rest(child);
    return developed;
  }

  return {
    develop: (who, kind, mimeType, fetch) =>
      places.run(who, async () => {
        const exposure = { kind, mimeType, bytes: await fetch() };
        const waiting = takeIdle();
        const first = waiting === undefined ? "crashed" : await exposed(waiting, exposure);
        // One that waited may have been at its end before.
        return pictureIn(first === "crashed" ? await exposed(start(), exposure) : first);
      }),
    close() {
      for (const child of all) child.kill("SIGKILL");
    },
  };
}

/** What became of a process that did not answer. */
type Failure = "crashed" | "ended";
/** What an image can bring a decoder to. Other signals come from outside, and the image is none the worse for them. */
const ofImages: readonly (NodeJS.Signals | null)[] = ["SIGSEGV", "SIGBUS", "SIGILL", "SIGABRT", "SIGFPE", "SIGTRAP"];

function answerOf(child: ChildProcess, exposure: Exposure): Promise<Developed | Failure> {
  return new Promise((resolve) => {
    const hasCome = startTimeout(developWithinMs, () => child.kill("SIGKILL"));
    const settle = (outcome: Developed | Failure) => {
      hasCome();
      child.off("exit", exited).off("error", failed).off("message", settle);
      resolve(outcome);
    };
    const exited = (_code: number | null, signal: NodeJS.Signals | null) => settle(ofImages.includes(signal) ? "crashed" : "ended");
    const failed = () => settle("ended"); // It could not be started.
    child.once("exit", exited).once("error", failed).once("message", settle);
    // One that can't be sent to is at its end.
    child.send(exposure, () => undefined);
  });
}

function pictureIn(developed: Developed | Failure): Picture {
  if (developed === "ended") throw new Unavailable();
  if (developed === "crashed") throw new Invalid("The image can't be read");
  if ("refusal" in developed) throw new Invalid(developed.refusal);
  return developed.picture;
}
