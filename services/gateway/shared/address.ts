/**
 * Determines a client's IP address: the peer's, or the one that trusted proxies report. Anyone can send `X-Forwarded-For`, so only the
 * part that proxies within `TRUST_PROXY` added is trusted.
 */
import { BlockList, isIP } from "node:net";
import ipaddr from "ipaddr.js";
import type { ClientInfo } from "../../../core/contract/call.ts";
import { StartError } from "../../../core/errors.ts";

interface PeerRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly socket: { readonly remoteAddress?: string | undefined };
}
/** The client's IP address. */
export type AddressOf = (request: PeerRequest) => string;

const forwardedFor = "x-forwarded-for";
const unknownAddress = "0.0.0.0";
const maxDeviceLength = 200;

/**
 * @param trust  the number of proxies in front of the server, or their addresses and CIDR ranges
 * @throws StartError  an entry is not an address or range
 */
export function addressResolver(trust: number | readonly string[]): AddressOf {
  if (trust === 0) return peerAddress;
  if (typeof trust === "number") return (request) => addressChain(request).at(-1 - trust) ?? addressChain(request)[0]!;
  const proxies = parseRanges(trust);
  const isProxy = (address: string) => proxies.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
  return (request) => {
    const chain = addressChain(request);
    return chain.findLast((address) => !isProxy(address)) ?? chain[0]!;
  };
}

const peerAddress: AddressOf = ({ socket }) => normalizedAddress(socket.remoteAddress ?? unknownAddress);

/** The addresses from client to peer. It starts after the last entry of the header that is not an IP address. */
function addressChain(request: PeerRequest): string[] {
  const header = request.headers[forwardedFor];
  const forwarded = (Array.isArray(header) ? header.join(",") : (header ?? "")).split(",").map((part) => normalizedAddress(part.trim()));
  const firstGood = forwarded.findLastIndex((address) => isIP(address) === 0) + 1;
  return [...forwarded.slice(firstGood), peerAddress(request)];
}

const withPort = /^(?:\[([^\]]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+)$/;
const mappedIpv4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

// Some proxies add ports. On a dual-stack socket an IPv4 client appears as ::ffff:192.0.2.1, and a link-local address may end with its
// interface.
function normalizedAddress(written: string): string {
  const [, inBrackets, beforePort] = withPort.exec(written) ?? [];
  const address = inBrackets ?? beforePort ?? written;
  const bare = mappedIpv4.exec(address)?.[1] ?? address;
  const zone = bare.indexOf("%");
  return zone < 0 ? bare : bare.slice(0, zone);
}

function parseRanges(specs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const spec of specs) {
    const range = spec.includes("/") ? spec : `${spec}/${spec.includes(":") ? 128 : 32}`;
    if (!ipaddr.IPv4.isValidCIDRFourPartDecimal(range) && !ipaddr.IPv6.isValidCIDR(range))
      throw new StartError(`TRUST_PROXY: "${spec}" is not an address or CIDR range`);
    const [address, bits] = ipaddr.parseCIDR(range);
    list.addSubnet(address.toString(), bits, address.kind());
  }
  return list;
}

/** Whether the peer is on this machine and is not a proxy that forwards for others. */
export function isLocalPeer(request: PeerRequest): boolean {
  const address = peerAddress(request);
  return request.headers[forwardedFor] === undefined && (address === "::1" || address.startsWith("127."));
}

export const clientOf = ({ addressOf }: { readonly addressOf: AddressOf }, request: Parameters<AddressOf>[0]): ClientInfo => ({
  device: String(request.headers["user-agent"] ?? "").slice(0, maxDeviceLength),
  address: addressOf(request),
});
