/**
 * Builds stand-ins for the images of the Dockerfile and the compose file from Debian packages, for machines that cannot reach an image
 * registry. They contain the same programs, but other versions and other entrypoints, so the images' entrypoints are not tested. Each
 * stand-in is kept as an archive for the next run.
 */
import { createHash } from "node:crypto";
import { mkdir, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { debianMirror } from "./plugins.ts";
import { run } from "./shell.ts";

const root = join(import.meta.dirname, "../../..");
const release = "bookworm";
const certificates = "/etc/ssl/certs/ca-certificates.crt";

interface StandInRecipe {
  readonly packages: readonly string[];
  /** Files of this machine, each with the folder that it is copied to. */
  readonly files?: readonly (readonly [from: string, to: string])[];
  /** Shell commands that run inside the stand-in. */
  readonly commands?: readonly string[];
  /** Dockerfile instructions. */
  readonly settings: readonly string[];
}

/** The recipes, by the image's name without its tag. */
async function recipes(): Promise<Readonly<Record<string, StandInRecipe>>> {
  const npm = dirname(dirname(await realpath((await run("sh", ["-c", "command -v npm"])).trim())));
  return {
    node: {
      packages: ["ca-certificates", "libstdc++6", "libatomic1"],
      files: [
        [join(root, "node_modules/node/bin/node"), "/usr/local/bin"],
        [npm, "/usr/local/lib"],
        [certificates, "/etc/ssl/certs"],
      ],
      commands: ["useradd --uid 1000 --create-home node", "ln -s /usr/local/lib/npm/bin/npm-cli.js /usr/local/bin/npm"],
      settings: [`ENV NODE_EXTRA_CA_CERTS=${certificates}`, 'CMD ["node"]'],
    },
    mongo: {
      packages: ["libcurl4", "openssl"],
      files: [[await mongodPath(), "/usr/bin"]],
      commands: ["mkdir -p /data/db"],
      settings: ['CMD ["mongod"]'],
    },
    rabbitmq: {
      packages: ["rabbitmq-server"],
      // Runs the programs directly, as the image's entrypoint does. Debian's wrappers would change the user with `su`.
      settings: [
        "ENV PATH=/usr/lib/rabbitmq/bin:/usr/sbin:/usr/bin:/sbin:/bin RUNNING_UNDER_SYSTEMD=true HOME=/var/lib/rabbitmq",
        "USER rabbitmq",
        'CMD ["rabbitmq-server"]',
      ],
    },
    redis: { packages: ["redis-server"], settings: ["USER redis"] },
    caddy: { packages: ["caddy", "wget"], settings: ['CMD ["caddy"]'] },
    "prom/prometheus": {
      packages: ["prometheus"],
      commands: ["mkdir -p /prometheus", "chown 65534:65534 /prometheus"],
      settings: ["USER 65534:65534", 'ENTRYPOINT ["/usr/bin/prometheus"]'],
    },
    "prom/alertmanager": {
      packages: ["prometheus-alertmanager"],
      commands: ["mkdir -p /alertmanager", "chown 65534:65534 /alertmanager"],
      settings: ["USER 65534:65534", 'ENTRYPOINT ["/usr/bin/prometheus-alertmanager"]'],
    },
  };
}

const mongodPath = (): Promise<string> => run("sh", ["-c", `command -v ${process.env["MONGOD"] ?? "mongod"}`]).then((path) => path.trim());

/** Whether there is a stand-in for this image, e.g. `redis:7.2.5`. */
export const hasStandIn = async (image: string): Promise<boolean> => nameOf(image) in (await recipes());
const nameOf = (image: string): string => image.slice(0, image.lastIndexOf(":"));

/**
 * Imports a stand-in into the engine under the image's name and tag.
 * @param folder  cache folder for the archives
 */
export async function importStandIn(image: string, folder: string, docker: Docker): Promise<void> {
  const recipe = (await recipes())[nameOf(image)]!;
  const archive = await archived(nameOf(image), recipe, folder);
  const changes = recipe.settings.flatMap((setting) => ["--change", setting]);
  await docker(["import", ...changes, archive, image]);
}
export type Docker = (args: readonly string[]) => Promise<string>;

async function archived(name: string, recipe: StandInRecipe, folder: string): Promise<string> {
  const sizes = await Promise.all((recipe.files ?? []).map(async ([file]) => [file, (await stat(file)).mtimeMs]));
  const key = createHash("sha256")
    .update(JSON.stringify([recipe, sizes]))
    .digest("hex")
    .slice(0, 16);
  const archive = join(folder, `${name.replace("/", "-")}-${key}.tar`);
  if (await stat(archive).catch(() => undefined)) return archive;
  await mkdir(folder, { recursive: true });
  const part = `${archive}.part.tar`;
  const { packages, files = [], commands = [] } = recipe;
  try {
    await run("mmdebstrap", [
      "--variant=minbase",
      "--dpkgopt=path-exclude=/usr/share/doc/*",
      "--dpkgopt=path-exclude=/usr/share/locale/*",
      `--include=${packages.join(",")}`,
      // The target folders may not exist.
      ...files.map(([, to]) => `--customize-hook=mkdir -p "$1${to}"`),
      ...files.map(([from, to]) => `--customize-hook=copy-in ${from} ${to}`),
      ...commands.map((command) => `--customize-hook=chroot "$1" sh -c '${command}'`),
      release,
      part,
      await debianMirror(),
    ]);
    await rename(part, archive);
  } finally {
    await rm(part, { force: true });
  }
  return archive;
}
