/**
 * Renders images: decodes them, turns them upright and encodes them again without metadata, so that neither the location of a photo nor
 * hidden content reaches other users. Images that would need too much memory are refused by their header, before anything is decoded. Runs
 * in a child process, see `image-workers.ts`.
 */
import sharp, { type Metadata, type Sharp } from "sharp";
import { Invalid } from "../../../core/errors.ts";
import type { ImageType } from "../file-types.ts";

// Images are rendered one at a time and not read again later, so neither a cache nor more threads help.
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
  readonly sharpFormat: string;
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
  "image/jpeg": { mimeType: "image/jpeg", sharpFormat: "jpeg", encode: jpeg, bytesPerPixel: 8 },
  "image/png": { mimeType: "image/png", sharpFormat: "png", encode: png, bytesPerPixel: 8 },
  "image/apng": { mimeType: "image/png", sharpFormat: "png", encode: png, bytesPerPixel: 8 },
  "image/gif": { mimeType: "image/gif", sharpFormat: "gif", encode: gif, isAnimatable: true, bytesPerPixel: 17 },
  "image/webp": { mimeType: "image/webp", sharpFormat: "webp", encode: webp, isAnimatable: true, bytesPerPixel: 13 },
  // Encoding AVIF takes 60 bytes per pixel, and many seconds.
  "image/avif": { mimeType: "image/webp", sharpFormat: "heif", encode: webp, bytesPerPixel: 20 },
};

/** Most memory that one image, or one frame of an animation, may need. */
const maxDecodeBytes = 200 * 1024 * 1024;
/** Most pixels of all frames of an animation together. With more, it becomes a still image. */
const maxFramePixels = 25e6;
/** sharp's own limit. `checkHeader` accepts fewer pixels. */
const inputPixelLimit = 2 * maxFramePixels;
const maxThumbSide = 320;
const pictureSide = 512;
const pictureThumbSide = 96;

interface ImageSource {
  readonly bytes: Buffer;
  readonly isAnimated: boolean;
}
/** Opens an image for decoding, which fails at bad data. */
const openImage = ({ bytes, isAnimated }: ImageSource): Sharp =>
  sharp(bytes, { animated: isAnimated, limitInputPixels: inputPixelLimit, failOn: "error", sequentialRead: true }).autoOrient();

/**
 * Renders an image for a message, with a thumbnail. Keeps the format and size, except that AVIF becomes WebP. A GIF or WebP animation keeps
 * its frames unless they have too many pixels; an APNG becomes a still image.
 * @throws Invalid  the image can't be decoded, or is too large
 */
export async function renderAttachedImage(detectedType: ImageType, bytes: Buffer): Promise<RenderedImage> {
  const { encode, mimeType, isAnimated } = await checkHeader(detectedType, bytes);
  return decodeOrRefuse(async () => {
    const { data: content, info } = await encode(openImage({ bytes, isAnimated })).toBuffer({ resolveWithObject: true });
    const inside = { width: maxThumbSide, height: maxThumbSide, fit: "inside", withoutEnlargement: true } as const;
    const thumb = await webp(openImage({ bytes, isAnimated: false }).resize(inside)).toBuffer();
    return { content, thumb, mimeType, width: info.width, height: info.pageHeight ?? info.height };
  });
}

/** Renders a user's or group's picture: a square around the most prominent part, and a small copy. Throws like `renderAttachedImage`. */
export async function renderSquarePicture(detectedType: ImageType, bytes: Buffer): Promise<RenderedImage> {
  await checkHeader(detectedType, bytes);
  return decodeOrRefuse(async () => {
    const cover = { width: pictureSide, height: pictureSide, fit: "cover", position: sharp.strategy.attention } as const;
    const content = await webp(openImage({ bytes, isAnimated: false }).resize(cover)).toBuffer();
    const thumb = await webp(sharp(content).resize(pictureThumbSide, pictureThumbSide)).toBuffer();
    return { content, thumb, mimeType: "image/webp", width: pictureSide, height: pictureSide };
  });
}

/** Reads only the header. @throws Invalid  not the format that its first bytes show, or too large */
async function checkHeader(detectedType: ImageType, bytes: Buffer): Promise<ImageFormat & { isAnimated: boolean }> {
  const format = formats[detectedType];
  const header = await decodeOrRefuse(() => sharp(bytes, { limitInputPixels: false }).metadata());
  if (header.format !== format.sharpFormat) throw unreadable();
  refuseTooLarge(header, format);
  // libvips holds the frames of an animation as one tall image, which it cannot turn frame by frame.
  const isUpright = (header.orientation ?? 1) === 1;
  return { ...format, isAnimated: format.isAnimatable === true && isUpright && framePixels(header) <= maxFramePixels };
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

/** Reports every error of sharp as an unreadable image, without sharp's message. */
async function decodeOrRefuse<T>(decode: () => Promise<T>): Promise<T> {
  return decode().catch(() => {
    throw unreadable();
  });
}
