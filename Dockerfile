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
# To transcode: gstreamer1.0-plugins-ugly (x264) or -bad (OpenH264) as well.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates gstreamer1.0-libav \
        gstreamer1.0-plugins-base gstreamer1.0-plugins-good libgstreamer1.0-0 tzdata && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 tallylight && install -d -o tallylight /data
COPY --from=server /build/target/release/tallylight /usr/local/bin/tallylight
# By number, so that Kubernetes can see that it is not root.
USER 10001
# GStreamer keeps what it knows of its plugins: the user has no home.
ENV TALLYLIGHT_DATA=/data XDG_CACHE_HOME=/data/.cache
WORKDIR /data
VOLUME /data
EXPOSE 8080/tcp 1935/tcp 8189/tcp 8189/udp
STOPSIGNAL SIGTERM
# Asks the operators' listener, which is there whatever the public one does. bash opens the connection itself, so
# that the image needs no curl. Where that listener is off, say --no-healthcheck.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["bash", "-c", \
    "at=${TALLYLIGHT_ADMIN_LISTEN:-127.0.0.1:9090}; exec 3<>/dev/tcp/${at%:*}/${at##*:} && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && read -r line <&3 && [[ $line == *' 200 '* ]]"]
ENTRYPOINT ["tallylight"]
CMD ["serve"]
