/**
 * Renders images in at most two child processes, one image at a time in each. Decoders of untrusted bytes are the easiest part to crash.
 * A crash here only ends a process without state or secrets, and returns all its memory.
 */
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Invalid, Unavailable } from "../../../core/errors.ts";
import { startTimeout } from "../../../core/resilience/timeout.ts";
import { fairQueue } from "../../../core/resilience/fair-queue.ts";
import type { RenderedImage } from "./render.ts";
import type { ImageType } from "../file-types.ts";

/** How to render an image: as a copy for a message, or as a square picture of a user or group. */
export type ImageKind = "attached" | "square";

export interface ImageJob {
  readonly kind: ImageKind;
  /** The type detected from the bytes. */
  readonly mimeType: ImageType;
  readonly bytes: Uint8Array;
}
/** The answer of a worker. */
export type ImageResult = { readonly picture: RenderedImage } | { readonly refusal: string };

export interface ImageWorkers {
  /**
   * @param userId    the image's owner, for a fair queue
   * @param readBytes  reads the bytes when the image is next in the queue
   * @throws Invalid      the image can't be decoded, or is too large
   * @throws Unavailable  too many images are waiting, or this one took too long
   */
  readonly renderImage: (userId: string, kind: ImageKind, mimeType: ImageType, readBytes: () => Promise<Buffer>) => Promise<RenderedImage>;
  readonly close: () => void;
}

const maxWorkers = 2;
const maxQueued = 100;
/** Together less than the caller's timeout. */
const maxWaitMs = 15_000;
const renderTimeoutMs = 14_000;
/** Idle time after which a process ends. */
const idleTimeoutMs = 30_000;

const workerFile = fileURLToPath(new URL("image-process.ts", import.meta.url));
/** Makes glibc return freed large blocks to the system, instead of keeping a heap per thread. */
const workerEnv = { MALLOC_ARENA_MAX: "1", MALLOC_MMAP_THRESHOLD_: "131072" };

export function openImageWorkers(): ImageWorkers {
  const jobQueue = fairQueue({ name: "image_workers", concurrency: maxWorkers, maxQueued, maxWaitMs });
  const idle = new Map<ChildProcess, NodeJS.Timeout>();
  const all = new Set<ChildProcess>();

  function start(): ChildProcess {
    const child = fork(workerFile, {
      env: workerEnv,
      execArgv: [],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    all.add(child);
    const forget = () => {
      all.delete(child);
      clearTimeout(idle.get(child));
      idle.delete(child);
    };
    return child.once("exit", forget).on("error", forget);
  }

  function nextIdle(): ChildProcess | undefined {
    const [[child, timer] = []] = idle;
    clearTimeout(timer);
    if (child !== undefined) idle.delete(child);
    return child;
  }

  function park(child: ChildProcess): void {
    const end = setTimeout(() => {
      idle.delete(child);
      child.disconnect();
    }, idleTimeoutMs);
    idle.set(child, end.unref());
  }

  async function runJob(child: ChildProcess, job: ImageJob): Promise<ImageResult | WorkerFailure> {
    const result = await resultOf(child, job);
    if (typeof result === "object") park(child);
    return result;
  }

  return {
    renderImage: (userId, kind, mimeType, readBytes) =>
      jobQueue.run(userId, async () => {
        const job = { kind, mimeType, bytes: await readBytes() };
        const idleChild = nextIdle();
        const first = idleChild === undefined ? "crashed" : await runJob(idleChild, job);
        // An idle process may have just ended.
        return imageOf(first === "crashed" ? await runJob(start(), job) : first);
      }),
    close() {
      for (const child of all) child.kill("SIGKILL");
    },
  };
}

/** The outcome of a process that did not answer. */
type WorkerFailure = "crashed" | "ended";
/** Signals that an image can cause in a decoder. Other signals come from outside and say nothing about the image. */
const crashSignals: readonly (NodeJS.Signals | null)[] = ["SIGSEGV", "SIGBUS", "SIGILL", "SIGABRT", "SIGFPE", "SIGTRAP"];

function resultOf(child: ChildProcess, job: ImageJob): Promise<ImageResult | WorkerFailure> {
  return new Promise((resolve) => {
    const cancelTimeout = startTimeout(renderTimeoutMs, () => child.kill("SIGKILL"));
    const finish = (outcome: ImageResult | WorkerFailure) => {
      cancelTimeout();
      child.off("exit", exited).off("error", failed).off("message", finish);
      resolve(outcome);
    };
    const exited = (_code: number | null, signal: NodeJS.Signals | null) => finish(crashSignals.includes(signal) ? "crashed" : "ended");
    const failed = () => finish("ended"); // The process could not be started.
    child.once("exit", exited).once("error", failed).once("message", finish);
    // A process that can't be sent to is ending.
    child.send(job, () => undefined);
  });
}

function imageOf(result: ImageResult | WorkerFailure): RenderedImage {
  if (result === "ended") throw new Unavailable();
  if (result === "crashed") throw new Invalid("The image can't be read");
  if ("refusal" in result) throw new Invalid(result.refusal);
  return result.picture;
}
