# The whole network in one image: PostgreSQL 17 and Python from the distribution, chainlink from its official image, our
# code as an installed wheel. Nothing is exposed: every port listens on the container's loopback only.
#
#   docker build -t feedmesh .                       the product
#   docker build -t feedmesh:dev --target dev .      with a local chain and a simulated market
#   docker build --target sbom --output . .          the bill of materials, feedmesh.cdx.json
#
# The digests pin the base images (for example DEBIAN_DIGEST=@sha256:…); without them the tags decide. COMMIT is what
# `feedmesh version` and a label tell. Two builds of one tree on the same bases give the same files.
ARG DEBIAN_IMAGE=debian:trixie-slim
ARG DEBIAN_DIGEST=
ARG CHAINLINK_VERSION=2.27.0
ARG CHAINLINK_DIGEST=
ARG SOURCE_DATE_EPOCH=0

FROM smartcontract/chainlink:${CHAINLINK_VERSION}${CHAINLINK_DIGEST} AS chainlink

FROM ${DEBIAN_IMAGE}${DEBIAN_DIGEST} AS packages
RUN apt-get update && apt-get install -y --no-install-recommends binutils python3 python3-pip python3-venv
WORKDIR /build
COPY requirements-build.lock requirements.lock ./
RUN python3 -m venv /build/tools \
    && /build/tools/bin/pip install --no-cache-dir --require-hashes --no-deps --only-binary :all: -r requirements-build.lock
# No pip in the product: the packages are installed from outside into its environment.
RUN python3 -m venv --without-pip /opt/feedmesh \
    && python3 -m pip --python /opt/feedmesh/bin/python install --no-cache-dir --no-compile --require-hashes --no-deps \
        --only-binary :all: -r requirements.lock

FROM packages AS wheels
ARG SOURCE_DATE_EPOCH
# Another value makes what follows anew, and the same.
ARG REBUILD=
COPY pyproject.toml README.md ./
COPY chainlink chainlink
COPY cli cli
COPY devkit devkit
COPY gen gen
COPY meshkit meshkit
COPY services services
RUN export SOURCE_DATE_EPOCH \
    && /build/tools/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation -w /build/product . \
    && /build/tools/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation -w /build/development ./devkit \
    && python3 -m pip --python /opt/feedmesh/bin/python install --no-cache-dir --no-compile --no-deps --no-index \
        /build/product/*.whl
COPY scripts/image/trim /build/trim
# Unchecked, since sources never change in an image: a start need not compare their times. One process and one seed,
# since what is compiled depends a little on what was before it and on the order of sets.
RUN /build/trim /opt/feedmesh \
    && PYTHONHASHSEED=0 /opt/feedmesh/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/feedmesh/lib \
    && find /opt/feedmesh -exec touch --no-dereference --date=@$SOURCE_DATE_EPOCH {} +

FROM ${DEBIAN_IMAGE}${DEBIAN_DIGEST} AS anvil
RUN apt-get update && apt-get install -y --no-install-recommends nodejs npm
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --loglevel=error && cp node_modules/@foundry-rs/anvil-linux-*/bin/anvil /usr/local/bin/anvil

FROM ${DEBIAN_IMAGE}${DEBIAN_DIGEST} AS runtime
ARG SOURCE_DATE_EPOCH
COPY scripts/image/install-system scripts/image/users /build/
RUN export SOURCE_DATE_EPOCH && /build/install-system && /build/users && rm -rf /build
COPY --from=chainlink /usr/local/bin/chainlink /usr/local/bin/chainlink
COPY --from=wheels /opt/feedmesh /opt/feedmesh
ENV PATH=/opt/feedmesh/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    FEEDMESH_RUN_DIR=/run/feedmesh \
    FEEDMESH_RESTART_FILES_DIR=/run/service
# Rights are dropped service by service, so the first process is root unless the container is given another user.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s CMD ["feedmesh-health"]
ARG CHAINLINK_VERSION
ARG CHAINLINK_DIGEST
ARG DEBIAN_IMAGE
ARG DEBIAN_DIGEST
ARG COMMIT=
LABEL org.opencontainers.image.title=feedmesh \
    org.opencontainers.image.description="A whole Chainlink Data Feeds network in one container" \
    org.opencontainers.image.version=0.1.0 \
    org.opencontainers.image.revision=${COMMIT} \
    org.opencontainers.image.base.name=${DEBIAN_IMAGE} \
    org.opencontainers.image.base.digest=${DEBIAN_DIGEST} \
    feedmesh.chainlink.version=${CHAINLINK_VERSION} \
    feedmesh.chainlink.digest=${CHAINLINK_DIGEST}
RUN printf '{"commit": "%s"}\n' "${COMMIT}" >/opt/feedmesh/build.json
ENTRYPOINT ["feedmesh"]
CMD ["up", "--config", "/sp/configurations/configuration.json", "--logs"]

FROM runtime AS dev
COPY --from=anvil /usr/local/bin/anvil /usr/local/bin/anvil
COPY --from=wheels /build/development /build
RUN python3 -m zipfile -e /build/feedmesh_devkit-*.whl /opt/feedmesh/lib/python3.*/site-packages/ && rm -rf /build
CMD ["run", "--profile", "embedded", "--data-dir", "/sp"]

FROM wheels AS bill
ARG CHAINLINK_VERSION
COPY scripts/image/sbom /build/sbom
COPY --from=runtime /var/lib/dpkg/status /build/status
RUN /build/sbom /build/requirements.lock /opt/feedmesh /build/status chainlink=${CHAINLINK_VERSION} \
    >/build/feedmesh.cdx.json

FROM scratch AS sbom
COPY --from=bill /build/feedmesh.cdx.json /feedmesh.cdx.json

FROM runtime AS feedmesh
