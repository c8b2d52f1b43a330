/**
 * Who a token speaks for, as one gateway knows it without asking anyone: tokens are verified here, and the sessions revoked
 * before their tokens expire are held here. Auth announces those on the feed; what the feed lost, the pull brings.
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
  /** As calls carry it. */
  readonly user: NonNullable<Meta["user"]>;
  /** The token's: a restore since then ended the session. */
  readonly era: string;
  /** When the token expires, epoch milliseconds. */
  readonly expiresAt: number;
}

export interface Sessions {
  /**
   * The live session of a token; undefined when it is bad, expired, revoked or of another era.
   * @throws Unavailable  it is not known yet which sessions are revoked, or what era it is
   */
  check(token: string | undefined): VerifiedSession | undefined;
  /** Whether a session that was live has ended before its token. */
  hasEnded(session: VerifiedSession): boolean;
  /** Whether `check` can answer: not in the first moments of a start, nor after this process stood still. */
  isReady(): boolean;
  /** Calls back for every session that ends before its token does. */
  onRevoked(listener: (revocation: Revocation) => void): void;
  /** Calls back when all sessions have ended that are not of this era. */
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
/** Without an answer for so long, too many revocations may have been missed to call this node ready. */
const maxSilenceMs = 60_000;
/** Failures in a row from which on they are worth a line: at a start auth may come a moment later. */
const warnFromFailure = 4;

/** Follows the revocations; when it resolves, none that is announced from then on is missed. */
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
        log.warn(`Auth does not answer about revoked sessions (${(error as Error).message}), trying again`);
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

/** Verifies tokens, each once: a signature costs more than the rest of a cached read. Only good tokens take room. */
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
