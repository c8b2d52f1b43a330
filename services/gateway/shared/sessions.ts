/**
 * Verifies access tokens without a call to auth. The gateway keeps the sessions that were revoked before their tokens expired: auth
 * publishes them on the feed, and a regular pull brings those that the feed lost.
 */
import type { Logger, ServiceBroker } from "moleculer";
import { addReadinessCheck, servicesAvailable } from "../../../core/node/readiness.ts";
import { call, type Meta } from "../../../core/contract/call.ts";
import type { Clock } from "../../../core/clock.ts";
import { Unavailable } from "../../../core/errors.ts";
import type { Feed } from "../../../core/feed/feed.ts";
import type { Installation } from "../../../core/node/installation.ts";
import type { JwtSecrets } from "../../../core/node/ports.ts";
import { verifyToken } from "../../../core/security/access-tokens.ts";
import { auth, revocationsChannel, type Revocation } from "../../auth/contract.ts";

export interface VerifiedSession {
  /** As in the meta of calls. */
  readonly user: NonNullable<Meta["user"]>;
  /** The token's era. A restore from a backup starts a new era and ends all sessions of older ones. */
  readonly era: string;
  /** When the token expires, epoch milliseconds. */
  readonly expiresAt: number;
}

export interface Sessions {
  /**
   * The token's session; undefined if the token is invalid or expired, or the session revoked or of another era.
   * @throws Unavailable  the revoked sessions or the era are not known yet
   */
  check(token: string | undefined): VerifiedSession | undefined;
  /** Whether a session ended before its token expired. */
  hasEnded(session: VerifiedSession): boolean;
  /** Whether `check` can answer. It can't right after a start, or after this process was paused. */
  isReady(): boolean;
  /** Calls the listener for each session that ends before its token expires. */
  onRevoked(listener: (revocation: Revocation) => void): void;
  /** Calls the listener when a new era has ended the sessions of all others. */
  onNewEra(listener: (era: string) => void): void;
  stop(): void;
}

interface FollowSessionsContext {
  readonly broker: ServiceBroker;
  readonly feed: Feed;
  readonly clock: Clock;
  readonly installation: Pick<Installation, "era" | "isEraKnown" | "onNewEra">;
  readonly jwtSecrets: JwtSecrets;
  readonly log: Logger;
}

const pull = { everyMs: 10_000, slackMs: 15_000, firstRetryMs: 100 } as const;
/** After this long without an answer, this node may have missed too many revocations to be ready. */
const maxSilenceMs = 60_000;
/** Fewer failures in a row are not logged: at start, auth may come up a moment later. */
const warnFromFailure = 4;

/** Starts to follow revocations. Once it resolves, it misses none that are published from then on. */
export async function followSessions({ broker, feed, clock, installation, jwtSecrets, log }: FollowSessionsContext): Promise<Sessions> {
  const verify = tokenVerifier(jwtSecrets, clock);
  const revoked = new Map<string, Revocation>();
  const listeners = new Set<(revocation: Revocation) => void>();
  let answeredAt: number | undefined;
  let nextSince = 0;
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  const recordRevocation = (revocation: Revocation) => {
    if (revoked.has(revocation.sessionId)) return;
    revoked.set(revocation.sessionId, revocation);
    for (const listener of listeners) listener(revocation);
  };

  const missingAuth = servicesAvailable(broker, [auth.revocations]);
  const pullAll = async () => {
    const missing = missingAuth();
    if (missing !== undefined) throw new Unavailable(missing);
    let page = await call(broker, auth.revocations, { since: nextSince });
    const { at } = page;
    page.revocations.forEach(recordRevocation);
    while (page.next !== undefined) {
      page = await call(broker, auth.revocations, { since: nextSince, cursor: page.next });
      page.revocations.forEach(recordRevocation);
    }
    nextSince = at - pull.slackMs;
    answeredAt = performance.now();
    for (const { sessionId, expiresAt } of revoked.values()) if (expiresAt < at - pull.slackMs) revoked.delete(sessionId);
  };

  const pullAndReschedule = async () => {
    clearTimeout(timer);
    try {
      await pullAll();
      failures = 0;
    } catch (error) {
      failures++;
      if (failures >= warnFromFailure && !isStopped)
        log.warn(`Could not get revoked sessions from auth (${(error as Error).message}), retrying`);
    }
    clearTimeout(timer);
    const delayMs = failures === 0 ? pull.everyMs : Math.min(pull.everyMs, pull.firstRetryMs * 2 ** (failures - 1));
    if (!isStopped) timer = setTimeout(() => void pullAndReschedule(), delayMs);
  };

  const subscription = await feed.subscribe([revocationsChannel], recordRevocation);
  const stopListeningForInterruptions = feed.onInterruption(() => void pullAndReschedule());
  addReadinessCheck(broker, "sessions", () => {
    if (answeredAt === undefined) return "waiting for auth";
    return performance.now() - answeredAt > maxSilenceMs ? "auth does not answer" : undefined;
  });
  void pullAndReschedule();

  const hasEnded = ({ user, era }: VerifiedSession): boolean => era !== installation.era() || revoked.has(user.sessionId);
  return {
    check(token) {
      if (token === undefined) return undefined;
      if (answeredAt === undefined) throw new Unavailable("Starting, try again");
      const session = verify(token);
      return session === undefined || hasEnded(session) ? undefined : session;
    },
    hasEnded,
    isReady: () => answeredAt !== undefined && installation.isEraKnown(),
    onRevoked: (listener) => void listeners.add(listener),
    onNewEra: (listener) => installation.onNewEra(listener),
    stop() {
      isStopped = true;
      clearTimeout(timer);
      stopListeningForInterruptions();
      subscription.stop();
    },
  };
}

const maxCachedTokens = 10_000;

/** Verifies each token once: checking a signature costs more than the rest of a cached read. Only valid tokens are cached. */
function tokenVerifier(secrets: JwtSecrets, clock: Clock): (token: string) => VerifiedSession | undefined {
  const cache = new Map<string, VerifiedSession>();
  return (token) => {
    const now = clock.now();
    const cached = cache.get(token);
    if (cached !== undefined) {
      if (cached.expiresAt > now) return cached;
      cache.delete(token);
      return undefined;
    }
    const claims = verifyToken(token, secrets, now);
    if (claims === undefined) return undefined;
    const { userId: id, sessionId, era, expiresAt } = claims;
    const session = { user: Object.freeze({ id, sessionId }), era, expiresAt };
    if (cache.size >= maxCachedTokens) cache.delete(cache.keys().next().value!);
    cache.set(token, session);
    return session;
  };
}
