/** Runs in a child process: renders one image at a time for its parent, and ends with it. */
import { codeOf } from "../../../core/errors.ts";
import type { ImageResult, ImageJob } from "./image-workers.ts";
import { renderAttachedImage, renderSquarePicture } from "./render.ts";

const renderers = { attached: renderAttachedImage, square: renderSquarePicture } as const;

async function runJob({ kind, mimeType, bytes }: ImageJob): Promise<ImageResult> {
  try {
    // A Buffer does not arrive as a Buffer over the channel.
    return { picture: await renderers[kind](mimeType, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)) };
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return { refusal: (error as Error).message };
  }
}

process.on("message", (exposure: ImageJob) => void runJob(exposure).then((developed) => process.send!(developed)));
// The parent handles Ctrl-C and a stop of the process group, and finishes running images first.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => undefined);
process.on("disconnect", () => process.exit());
