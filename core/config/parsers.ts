/**
 * Parsers for configuration variables, and functions that make parsers. A parser takes the text and returns the value, or throws an error
 * that completes the sentence `<NAME> must be ...`.
 */

/** Minimum number of characters of a secret that signs access tokens. */
export const minSecretLength = 32;

export interface CloudinaryAccount {
  readonly cloud: string;
  readonly key: string;
  readonly secret: string;
  /** The API's URL, if not `https://api.cloudinary.com`. */
  readonly apiUrl: string | undefined;
  /** The host that delivers files, with its port if any, if not `res.cloudinary.com`. */
  readonly deliveryHost: string | undefined;
}

export const mustBe = (expected: string): never => {
  throw new Error(`must be ${expected}`);
};

export const optional =
  <T>(parse: (text: string) => T) =>
  (text: string | undefined): T | undefined =>
    text === undefined ? undefined : parse(text);
export const integer =
  (min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    return /^\d+$/.test(text) && value >= min && value <= max ? value : mustBe(`a whole number from ${min} to ${max}`);
  };
/** A share from 0 to 1, written as a decimal. */
export const ratio = (text: string): number => {
  const value = Number(text);
  return /^[01](\.\d+)?$/.test(text) && value <= 1 ? value : mustBe("a number from 0 to 1, such as 0.01");
};
export const withDefault =
  <T>(fallback: T, parse: (text: string) => T) =>
  (text: string | undefined): T =>
    text === undefined ? fallback : parse(text);
export const oneOf =
  <const T extends string>(...values: readonly T[]) =>
  (text: string): T =>
    values.find((value) => value === text) ?? mustBe(`one of ${values.join(", ")}`);
export const commaSeparated = (text: string): readonly string[] =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
export const url =
  (...schemes: readonly string[]) =>
  (text: string): string => {
    const parsed = URL.parse(text);
    return parsed !== null && schemes.includes(parsed.protocol) && parsed.hostname !== ""
      ? text
      : mustBe(`a URL that begins with ${schemes.map((s) => `${s}//`).join(" or ")}`);
  };
/** The trace collector's URL. Its user and password are percent-decoded before they are sent. */
export const collectorUrl = (text: string): string => {
  const { username, password } = new URL(url("http:", "https:")(text));
  try {
    decodeURIComponent(`${username}:${password}`);
    return text;
  } catch {
    return mustBe("a URL whose user and password are percent-encoded");
  }
};
// Node's URL parser refuses a URI with several hosts and ports.
export const mongoUri = (text: string): string =>
  /^mongodb(\+srv)?:\/\/[^/]/.test(text) ? text : mustBe("a URL that begins with mongodb:// or mongodb+srv://");
export const origin = (text: string): string => {
  const parsed = URL.parse(text);
  return parsed !== null && /^https?:$/.test(parsed.protocol) && parsed.origin === text.replace(/\/$/, "")
    ? parsed.origin
    : mustBe("an origin like https://chat.example.org");
};
/** The URL in Cloudinary's console. The names of the two query parameters are those of Cloudinary's SDK. */
export const cloudinaryAccount = (text: string): CloudinaryAccount => {
  const parsed = URL.parse(text);
  const [apiUrl, deliveryHost] = ["upload_prefix", "secure_distribution"].map((name) => parsed?.searchParams.get(name) ?? undefined);
  if (parsed?.protocol !== "cloudinary:" || parsed.username === "" || parsed.password === "" || parsed.hostname === "") {
    return mustBe("like cloudinary://key:secret@cloud");
  }
  if (apiUrl !== undefined && URL.parse(apiUrl)?.protocol !== "https:") return mustBe("given an upload_prefix that begins with https://");
  return { cloud: parsed.hostname, key: parsed.username, secret: parsed.password, apiUrl, deliveryHost };
};
export const longSecret = (text: string): string =>
  text.length >= minSecretLength ? text : mustBe(`at least ${minSecretLength} characters long`);
export const trustProxy = (text: string): number | readonly string[] => (/^\d+$/.test(text) ? integer(0, 32)(text) : commaSeparated(text));
