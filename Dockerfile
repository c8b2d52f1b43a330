# Parley in one image, for both modes: embedded when no URL is set, a node of a mesh when all three are (docs/operating.md).

FROM node:24.21.0-bookworm-slim AS modules
WORKDIR /parley
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund
COPY . .
# Whoever runs it owns nothing here, and a clone made under a strict umask must be readable to them all the same. The folders that
# volumes are mounted on belong to them: a new volume takes its owner from there.
RUN chmod -R a+rX client core mixins scripts services package.json moleculer.config.ts LICENSE \
  && install -d -m 755 /folders \
  && install -d -o 1000 -g 1000 -m 700 /folders/data /folders/backups /folders/secrets /folders/secrets/nodes \
  && install -d -o 1000 -g 1000 -m 755 /folders/secrets/rabbitmq /folders/secrets/redis /folders/secrets/grafana

FROM node:24.21.0-bookworm-slim
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Parley" \
  org.opencontainers.image.description="Self-hosted messaging server: no message lost, doubled or out of order." \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.version="$VERSION" \
  org.opencontainers.image.revision="$REVISION"
ENV NODE_ENV=production \
  PORT=3000 \
  ADMIN_PORT=3001 \
  ADMIN_HOST=0.0.0.0 \
  DATA_DIR=/data
WORKDIR /parley
COPY --from=modules /folders /
COPY --from=modules /parley /parley
USER 1000:1000
EXPOSE 3000 3001
STOPSIGNAL SIGTERM
# A node that waits for its store is not ready and must be let wait: failures count only after ten minutes.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10m --retries=3 CMD ["node", "scripts/container/check-ready.ts"]
CMD ["node", "node_modules/moleculer/bin/moleculer-runner.js", "--config", "moleculer.config.ts", "--mask", "**/*.service.ts"]
