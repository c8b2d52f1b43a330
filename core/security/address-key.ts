/** Maps addresses to the keys under which limits count them, one key per subscriber. */
import ipaddr from "ipaddr.js";

/** The key of an address. IPv6 addresses are counted by their /64, because a subscriber usually has a whole one. */
export function addressKey(address: string): string {
  if (!address.includes(":")) return address;
  const network = ipaddr.IPv6.parse(address).parts.slice(0, 4);
  return `${network.map((part) => part.toString(16)).join(":")}::/64`;
}
