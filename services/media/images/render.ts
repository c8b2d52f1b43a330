/**
 * Images: decoded, turned upright, and encoded anew without their metadata, so that neither where a photo was taken nor anything
 * that hides in a file reaches others. How much memory that takes is known from the header, before anything is decoded. This runs in
 * a process of its own: `image-workers.ts`.
 */
import sharp, { type Metadata, type Sharp } from "sharp";
import { Invalid } from "../../../core/errors.ts";
import type { ImageType } from "../file-types.ts";

// An image is decoded once and never seen again, and one at a time: neither a cache nor more threads are of use.
sharp.cache(false);
sharp.concurrency(1);

/** What was made of an image. */
export interface RenderedImage {
  readonly content: Buffer;
  readonly thumb: Buffer;
  readonly mimeType: string;
  readonly width: number;
  readonly height: number;
}

interface ImageFormat {
  /** The kept copy's type. */
  readonly mimeType: string;
  /** What sharp calls the format. */
  readonly reads: string;
  readonly encode: (image: Sharp) => Sharp;
  readonly isAnimatable?: true;
  /** Measured at the peak of decoding, turning and encoding. */
  readonly bytesPerPixel: number;
}

const webp = (image: Sharp): Sharp => image.webp({ quality: 82, effort: 2 });
const jpeg = (image: Sharp): Sharp => image.jpeg({ quality: 82, optimizeCoding: false });
const png = (image: Sharp): Sharp => image.png();
// Its frames had at most 256 colours each already, so dithering would only add noise.
const gif = (image: Sharp): Sharp => image.gif({ effort: 1, dither: 0 });

/** By the type that their bytes show. */
const formats: Readonly<Record<ImageType, ImageFormat>> = {
  "image/jpeg": { mimeType: "image/jpeg", reads: "jpeg", encode: jpeg, bytesPerPixel: 8 },
  "image/png": { mimeType: "image/png", reads: "png", encode: png, bytesPerPixel: 8 },
  "image/apng": { mimeType: "image/png", reads: "png", encode: png, bytesPerPixel: 8 },
  "image/gif": { mimeType: "image/gif", reads: "gif", encode: gif, isAnimatable: true, bytesPerPixel: 17 },
  "image/webp": { mimeType: "image/webp", reads: "webp", encode: webp, isAnimatable: true, bytesPerPixel: 13 },
  // Encoding AVIF takes 60 bytes a pixel, and many seconds.
  "image/avif": { mimeType: "image/webp", reads: "heif", encode: webp, bytesPerPixel: 20 },
};

/** For one image. */
const maxDecodeBytes = 200 * 1024 * 1024;
/** Of all frames together: each is encoded anew. */
const maxFramePixels = 25e6;
const maxThumbSide = 320;
const pictureSide = 512;
const pictureThumbSide = 96;

/** How an image is read: as many pixels as its header said, and not on after bad data. */
interface ImageSource {
  readonly bytes: Buffer;
  readonly isAnimated: boolean;
}
const openImage = ({ bytes, isAnimated }: ImageSource): Sharp =>
  sharp(bytes, { animated: isAnimated, limitInputPixels: maxFramePixels * 2, failOn: "error", sequentialRead: true }).autoOrient();

/**
 * An image for a message: in its own format and size, an animation with its frames unless they are too many, and a thumbnail.
 * @throws Invalid  it can't be decoded, or is too large
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

/** A person's or group's picture: a square around what catches the eye, faces above all, and the same small. Throws as `attachedImage`. */
export async function renderSquarePicture(known: ImageType, bytes: Buffer): Promise<RenderedImage> {
  await checkHeader(known, bytes);
  return decodeOrRefuse(async () => {
    const cover = { width: pictureSide, height: pictureSide, fit: "cover", position: sharp.strategy.attention } as const;
    const content = await webp(openImage({ bytes, isAnimated: false }).resize(cover)).toBuffer();
    const thumb = await webp(sharp(content).resize(pictureThumbSide, pictureThumbSide)).toBuffer();
    return { content, thumb, mimeType: "image/webp", width: pictureSide, height: pictureSide };
  });
}

/** Looks at the header alone. @throws Invalid  another format than its first bytes show, or too large */
async function checkHeader(known: ImageType, bytes: Buffer): Promise<ImageFormat & { isAnimated: boolean }> {
  const format = formats[known];
  const header = await decodeOrRefuse(() => sharp(bytes, { limitInputPixels: false }).metadata());
  if (header.format !== format.reads) throw unreadable();
  refuseTooLarge(header, format);
  return { ...format, isAnimated: format.isAnimatable === true && framePixels(header) <= maxFramePixels };
}

const framePixels = ({ width, height, pages = 1 }: Metadata): number => width * height * pages;

function refuseTooLarge({ width, height, depth, hasAlpha, isProgressive }: Metadata, { bytesPerPixel }: ImageFormat): void {
  // Sixteen bits a colour take twice as much; what comes in several passes is held as a whole, and transparency is encoded apart.
  const perPixel = bytesPerPixel * (depth === "uchar" ? 1 : 2) * (isProgressive ? 1.5 : 1) * (hasAlpha ? 1.5 : 1);
  if (width * height * perPixel <= maxDecodeBytes) return;
  const megapixels = Math.floor(maxDecodeBytes / perPixel / 1e6);
  throw new Invalid(
    `The image is too large: ${width} × ${height} pixels, and at most ${megapixels} megapixels of its kind can be taken in`,
  );
}

const unreadable = (): Invalid => new Invalid("The image can't be read");

/** sharp's errors are about the image; its texts stay here. */
async function decodeOrRefuse<T>(decode: () => Promise<T>): Promise<T> {
  return decode().catch(() => {
    throw unreadable();
  });
}
