# The whole network in one image: PostgreSQL 17 from the distribution, chainlink from its official image, our Python.
# Nothing is exposed: every port listens on the container's loopback only.

FROM smartcontract/chainlink:2.27.0 AS chainlink

FROM python:3.11-slim-trixie AS python
WORKDIR /opt/feedmesh
COPY requirements.lock ./
RUN python -m venv .venv \
    && .venv/bin/python -m pip install --disable-pip-version-check --no-cache-dir --require-hashes --no-deps \
        --only-binary :all: -r requirements.lock

FROM python:3.11-slim-trixie
# The package would make and start a cluster of its own; ours is made by dbinit.
RUN mkdir -p /etc/postgresql-common \
    && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf \
    && apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates postgresql-17 \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -m 0755 /sp /sp/feedmesh
COPY --from=chainlink /usr/local/bin/chainlink /usr/local/bin/chainlink
COPY --from=python /opt/feedmesh/.venv /opt/feedmesh/.venv
WORKDIR /opt/feedmesh
COPY chainlink chainlink
COPY gen gen
COPY meshkit meshkit
COPY services services
COPY devkit devkit
COPY cli cli
ENV PYTHONPATH=/opt/feedmesh:/opt/feedmesh/gen \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PATH=/opt/feedmesh/.venv/bin:/usr/local/bin:/usr/bin:/bin
# Unchecked, since sources never change in an image: a start need not compare their times.
RUN python -m compileall -q --invalidation-mode unchecked-hash chainlink cli devkit gen meshkit services
# The supervisor drops rights service by service, so the first process is root.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s CMD ["python", "-m", "cli", "status"]
ENTRYPOINT ["python", "-m", "cli"]
CMD ["up", "--config", "/sp/configurations/configuration.json", "--logs"]
