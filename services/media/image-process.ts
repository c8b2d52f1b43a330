/** The process that images are decoded in: takes one after the other from its parent, and ends with it. */
import { codeOf } from "../../core/errors.ts";
import type { Developed, Exposure } from "./darkroom.ts";
import { attachedImage, squarePicture } from "./images.ts";

const makers = { attached: attachedImage, square: squarePicture } as const;

async function develop({ kind, mimeType, bytes }: Exposure): Promise<Developed> {
  try {
    // What came over a pipe is no Buffer any more.
    return { picture: await makers[kind](mimeType, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)) };
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return { refusal: (error as Error).message };
  }
}

process.on("message", (exposure: Exposure) => void develop(exposure).then((developed) => process.send!(developed)));
// A terminal's Ctrl-C, and a stop of the whole process group, are for the parent, which finishes what is under way.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => undefined);
process.on("disconnect", () => process.exit());
