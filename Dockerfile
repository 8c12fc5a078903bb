# syntax=docker/dockerfile:1
# Two images from one set-up: `shop` (web, worker, prepare) and `edge` (nginx). The network is needed for the package
# registries alone: Debian's (pinned by its release), Python's and npm's (pinned by the lock files, what builds our own
# package by pyproject.toml).

FROM python:3.13-slim-bookworm AS build
# The recommender's arithmetic is in OpenMP, and the wheel takes the system's.
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
WORKDIR /srv/wavecrate
COPY . .
# The same set-up as on anybody's machine: locked packages by hash, browser libraries, translations.
RUN --mount=type=cache,target=/root/.cache --mount=type=cache,target=/root/.npm sh script/setup && rm -rf node_modules

FROM python:3.13-slim-bookworm AS shop
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/wavecrate --create-home wavecrate
COPY --from=build /srv/wavecrate /srv/wavecrate
WORKDIR /srv/wavecrate
ENV PATH=/srv/wavecrate/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OPENBLAS_NUM_THREADS=1 \
    WAVECRATE_VAR=/var/lib/wavecrate
# What needs a library of the system's says so now, not in a worker at night.
RUN python -c 'import implicit.cpu.als'
USER wavecrate
VOLUME /var/lib/wavecrate
EXPOSE 8000
CMD ["gunicorn", "--config=python:app.web_server", "--worker-class=gthread", "--workers=2", "--threads=16", "--bind=0.0.0.0:8000", "app.wsgi:application()"]

# Debian 12's nginx and njs: what the tests run.
FROM debian:bookworm-slim AS edge
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends nginx libnginx-mod-http-js ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 edge \
    && install -d -o edge /run/edge /var/cache/edge
COPY nginx /srv/wavecrate/nginx
COPY --from=build /srv/wavecrate/app/static /srv/wavecrate/app/static
ENV EDGE_RUN=/run/edge EDGE_CACHE=/var/cache/edge
USER edge
VOLUME /var/cache/edge
EXPOSE 8443 9443
CMD ["sh", "/srv/wavecrate/nginx/start"]
