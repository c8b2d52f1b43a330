/**
 * Renders images: decodes them, turns them upright and encodes them again without metadata, so that neither the location of a photo nor
 * hidden content reaches other users. The header gives the needed memory before anything is decoded. Runs in a child process, see
 * `image-workers.ts`.
 */
import sharp, { type Metadata, type Sharp } from "sharp";
import { Invalid } from "../../../core/errors.ts";
import type { ImageType } from "../file-types.ts";

// Each image is decoded once, one at a time, so neither a cache nor more threads help.
sharp.cache(false);
sharp.concurrency(1);

/** A rendered image. */
export interface RenderedImage {
  readonly content: Buffer;
  readonly thumb: Buffer;
  readonly mimeType: string;
  readonly width: number;
  readonly height: number;
}

interface ImageFormat {
  /** MIME type of the copy. */
  readonly mimeType: string;
  /** sharp's name of the format. */
  readonly reads: string;
  readonly encode: (image: Sharp) => Sharp;
  readonly isAnimatable?: true;
  /** Peak memory while decoding, rotating and encoding, as measured. */
  readonly bytesPerPixel: number;
}

const webp = (image: Sharp): Sharp => image.webp({ quality: 82, effort: 2 });
const jpeg = (image: Sharp): Sharp => image.jpeg({ quality: 82, optimizeCoding: false });
const png = (image: Sharp): Sharp => image.png();
// The frames already have at most 256 colours, so dithering would only add noise.
const gif = (image: Sharp): Sharp => image.gif({ effort: 1, dither: 0 });

/** By the type detected from the bytes. */
const formats: Readonly<Record<ImageType, ImageFormat>> = {
  "image/jpeg": { mimeType: "image/jpeg", reads: "jpeg", encode: jpeg, bytesPerPixel: 8 },
  "image/png": { mimeType: "image/png", reads: "png", encode: png, bytesPerPixel: 8 },
  "image/apng": { mimeType: "image/png", reads: "png", encode: png, bytesPerPixel: 8 },
  "image/gif": { mimeType: "image/gif", reads: "gif", encode: gif, isAnimatable: true, bytesPerPixel: 17 },
  "image/webp": { mimeType: "image/webp", reads: "webp", encode: webp, isAnimatable: true, bytesPerPixel: 13 },
  // Encoding AVIF takes 60 bytes per pixel, and many seconds.
  "image/avif": { mimeType: "image/webp", reads: "heif", encode: webp, bytesPerPixel: 20 },
};

/** Maximum for one image. */
const maxDecodeBytes = 200 * 1024 * 1024;
/** Maximum for all frames together, because each is encoded again. */
const maxFramePixels = 25e6;
const maxThumbSide = 320;
const pictureSide = 512;
const pictureThumbSide = 96;

/** Input options: no more pixels than the header declares, and stop at bad data. */
interface ImageSource {
  readonly bytes: Buffer;
  readonly isAnimated: boolean;
}
const openImage = ({ bytes, isAnimated }: ImageSource): Sharp =>
  sharp(bytes, { animated: isAnimated, limitInputPixels: maxFramePixels * 2, failOn: "error", sequentialRead: true }).autoOrient();

/**
 * Renders an image for a message, with a thumbnail. Format and size stay; an animation keeps its frames unless there are too many.
 * @throws Invalid  the image can't be decoded, or is too large
 */
export async function renderAttachedImage(known: ImageType, bytes: Buffer): Promise<RenderedImage> {
  const { encode, mimeType, isAnimated } = await checkHeader(known, bytes);
  return decodeOrRefuse(async () => {
    const { data: content, info } = await encode(openImage({ bytes, isAnimated })).toBuffer({ resolveWithObject: true });
    const inside = { width: maxThumbSide, height: maxThumbSide, fit: "inside", withoutEnlargement: true } as const;
    const thumb = await webp(openImage({ bytes, isAnimated: false }).resize(inside)).toBuffer();
    return { content, thumb, mimeType, width: info.width, height: info.pageHeight ?? info.height };
  });
}

/** Renders a user's or group's picture: a square around the most prominent part, and a small copy. Throws like `attachedImage`. */
export async function renderSquarePicture(known: ImageType, bytes: Buffer): Promise<RenderedImage> {
  await checkHeader(known, bytes);
  return decodeOrRefuse(async () => {
    const cover = { width: pictureSide, height: pictureSide, fit: "cover", position: sharp.strategy.attention } as const;
    const content = await webp(openImage({ bytes, isAnimated: false }).resize(cover)).toBuffer();
    const thumb = await webp(sharp(content).resize(pictureThumbSide, pictureThumbSide)).toBuffer();
    return { content, thumb, mimeType: "image/webp", width: pictureSide, height: pictureSide };
  });
}

/** Reads only the header. @throws Invalid  not the format that its first bytes show, or too large */
async function checkHeader(known: ImageType, bytes: Buffer): Promise<ImageFormat & { isAnimated: boolean }> {
  const format = formats[known];
  const header = await decodeOrRefuse(() => sharp(bytes, { limitInputPixels: false }).metadata());
  if (header.format !== format.reads) throw unreadable();
  refuseTooLarge(header, format);
  return { ...format, isAnimated: format.isAnimatable === true && framePixels(header) <= maxFramePixels };
}

const framePixels = ({ width, height, pages = 1 }: Metadata): number => width * height * pages;

function refuseTooLarge({ width, height, depth, hasAlpha, isProgressive }: Metadata, { bytesPerPixel }: ImageFormat): void {
  // 16 bits per channel need twice as much memory. Progressive images are held as a whole, and transparency is encoded separately.
  const perPixel = bytesPerPixel * (depth === "uchar" ? 1 : 2) * (isProgressive ? 1.5 : 1) * (hasAlpha ? 1.5 : 1);
  if (width * height * perPixel <= maxDecodeBytes) return;
  const megapixels = Math.floor(maxDecodeBytes / perPixel / 1e6);
  throw new Invalid(`The image is too large: ${width} × ${height} pixels, and at most ${megapixels} megapixels of its kind are accepted`);
}

const unreadable = (): Invalid => new Invalid("The image can't be read");

/** Errors of sharp concern the image. Its texts are not passed on. */
async function decodeOrRefuse<T>(decode: () => Promise<T>): Promise<T> {
  return decode().catch(() => {
    throw unreadable();
  });
}
