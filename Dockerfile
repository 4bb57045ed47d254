# syntax=docker/dockerfile:1.7
#
# One image for every service; which one runs is the argument:
#
#   docker build --tag bandit .
#   docker run --rm --read-only --cap-drop ALL --env-file assignment.env -p 3000:3000 bandit services/assignment/src/main.ts
#
# Never built: the machine where this was written has no Docker engine. What was run there: the same install command in a
# copy that holds what .dockerignore lets in, and each service started from that copy as `nobody`, with an empty
# environment but for its configuration, on a folder it cannot write to; and the rules of infra/lint.
#
# Pin the base by digest in your own registry (`docker buildx imagetools inspect node:24.21.0-bookworm-slim`): a tag can be
# moved. ARG so that a mirror or a newer patch needs no edit.
ARG NODE_IMAGE=docker.io/library/node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
ENV CI=true
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
# The packages themselves, not their package.json alone: pnpm links them, and a line per package would be forgotten.
COPY packages packages
COPY services services
# --no-optional: the root offers Node itself as an npm package, for machines with an old one; here it would be a second.
# The hoisted copy of tests' tools, types and compilers are devDependencies and stay out.
RUN ["npx", "-y", "pnpm@12.21.0", "install", "--prod", "--frozen-lockfile", "--no-optional", "--ignore-scripts", \
  "--store-dir", "/tmp/pnpm-store"]

FROM ${NODE_IMAGE} AS run
LABEL org.opencontainers.image.title="bandit" \
  org.opencontainers.image.description="Self-hosted multi-armed bandit experimentation platform" \
  org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
COPY --from=dependencies /app/ ./
COPY infra infra
COPY scripts scripts
# Files belong to root: the process may read its code, and change none of it. Nothing is written but to the stores, so the
# root file system can be read-only (no temporary files either).
# By number, so that Kubernetes can tell that it is not root.
USER 1000:1000
ENV NODE_ENV=production \
  HOST=0.0.0.0 \
  PORT=3000
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["node", "infra/docker/check-health.js"]
# Longer than the 4.5 s that a service takes to drain at most (limits.shutdownTimeoutMs): docker stop --time 10.
STOPSIGNAL SIGTERM
# Node is process 1 and handles SIGTERM itself; the services start no child processes, so there are none to reap: no shell
# and no init in between.
ENTRYPOINT ["node"]
CMD ["services/assignment/src/main.ts"]
