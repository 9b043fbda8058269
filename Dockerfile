# The whole network in one image: PostgreSQL 17 and Python from the distribution, chainlink from its official image, our
# code as an installed wheel. Nothing is exposed: every port listens on the container's loopback only.
#
#   docker build -t feedmesh .                       the product
#   docker build -t feedmesh:dev --target dev .      with a local chain and a simulated market
#
# The digests pin the base images (for example DEBIAN_DIGEST=@sha256:…); without them the tags decide.
ARG DEBIAN_IMAGE=debian:trixie-slim
ARG DEBIAN_DIGEST=
ARG CHAINLINK_VERSION=2.27.0
ARG CHAINLINK_DIGEST=

FROM smartcontract/chainlink:${CHAINLINK_VERSION}${CHAINLINK_DIGEST} AS chainlink

FROM ${DEBIAN_IMAGE}${DEBIAN_DIGEST} AS wheels
RUN apt-get update && apt-get install -y --no-install-recommends binutils python3 python3-pip python3-venv
WORKDIR /build
COPY requirements-build.lock requirements.lock ./
RUN python3 -m venv /build/tools \
    && /build/tools/bin/pip install --no-cache-dir --require-hashes --no-deps --only-binary :all: -r requirements-build.lock
# No pip in the product: the packages are installed from outside into its environment.
RUN python3 -m venv --without-pip /opt/feedmesh \
    && python3 -m pip --python /opt/feedmesh/bin/python install --no-cache-dir --no-compile --require-hashes --no-deps \
        --only-binary :all: -r requirements.lock
ARG SOURCE_DATE_EPOCH=0
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
# Unchecked, since sources never change in an image: a start need not compare their times.
RUN /build/trim /opt/feedmesh \
    && /opt/feedmesh/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/feedmesh/lib

FROM ${DEBIAN_IMAGE}${DEBIAN_DIGEST} AS anvil
RUN apt-get update && apt-get install -y --no-install-recommends nodejs npm
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --loglevel=error && cp node_modules/@foundry-rs/anvil-linux-*/bin/anvil /usr/local/bin/anvil

FROM ${DEBIAN_IMAGE}${DEBIAN_DIGEST} AS runtime
COPY scripts/image/install-system scripts/image/users /build/
RUN /build/install-system && /build/users && rm -rf /build
COPY --from=chainlink /usr/local/bin/chainlink /usr/local/bin/chainlink
COPY --from=wheels /opt/feedmesh /opt/feedmesh
ENV PATH=/opt/feedmesh/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    FEEDMESH_RUN_DIR=/run/feedmesh
# Rights are dropped service by service, so the first process is root unless the container is given another user.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s CMD ["feedmesh-health"]
ENTRYPOINT ["feedmesh"]
CMD ["up", "--config", "/sp/configurations/configuration.json", "--logs"]

FROM runtime AS dev
COPY --from=anvil /usr/local/bin/anvil /usr/local/bin/anvil
COPY --from=wheels /build/development /build
RUN python3 -m zipfile -e /build/feedmesh_devkit-*.whl /opt/feedmesh/lib/python3.*/site-packages/ && rm -rf /build
CMD ["run", "--profile", "embedded"]

FROM runtime AS feedmesh
