# The pages.
FROM node:20-bookworm-slim AS web
WORKDIR /build/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN npm ci
COPY web ./
RUN npm run build

# The server, with the pages inside.
FROM rust:1.95-bookworm AS server
RUN apt-get update && apt-get install -y --no-install-recommends cmake libgstreamer1.0-dev \
        libgstreamer-plugins-base1.0-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
COPY --from=web /build/web/dist web/dist
RUN cargo build --release --locked --package tallylight

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates gstreamer1.0-libav \
        gstreamer1.0-plugins-base gstreamer1.0-plugins-good libgstreamer1.0-0 tzdata && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 tallylight && install -d -o tallylight /data
COPY --from=server /build/target/release/tallylight /usr/local/bin/tallylight
USER tallylight
ENV TALLYLIGHT_DATA=/data
VOLUME /data
EXPOSE 8080/tcp 1935/tcp 8189/tcp 8189/udp
ENTRYPOINT ["tallylight"]
CMD ["serve"]
