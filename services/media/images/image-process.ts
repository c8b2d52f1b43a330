/** The process that images are decoded in: takes one after the other from its parent, and ends with it. */
import { codeOf } from "../../../core/errors.ts";
import type { ImageResult, ImageJob } from "./image-workers.ts";
import { renderAttachedImage, renderSquarePicture } from "./render.ts";

const renderers = { attached: renderAttachedImage, square: renderSquarePicture } as const;

async function runJob({ kind, mimeType, bytes }: ImageJob): Promise<ImageResult> {
  try {
    // What came over a pipe is no Buffer any more.
    return { picture: await renderers[kind](mimeType, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)) };
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return { refusal: (error as Error).message };
  }
}

process.on("message", (exposure: ImageJob) => void runJob(exposure).then((developed) => process.send!(developed)));
// A terminal's Ctrl-C, and a stop of the whole process group, are for the parent, which finishes what is under way.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => undefined);
process.on("disconnect", () => process.exit());
