/** Reports the size of Parley's image: its own layers, and the base image. */
import type { Docker } from "./base-images.ts";

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;

/** @returns a readable text */
export async function imageSizes(docker: Docker): Promise<string> {
  const base = (await docker(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "node"])).trim().split("\n")[0]!;
  const [all, below] = await Promise.all(
    ["parley:local", base].map(async (image) => Number(await docker(["image", "inspect", "--format", "{{.Size}}", image]))),
  );
  return `${megabytes(all! - below!)} of its own, on the stand-in for ${base} of ${megabytes(below!)}`;
}
