# proxylab from its own wheel, as an ordinary user:
#   docker build -t proxylab .
#   docker run --rm -v "$PWD:/work" proxylab detect zoo:maze-corner/proxy-00 --trusted
#   docker run --rm -p 127.0.0.1:8765:8765 proxylab app --host 0.0.0.0 --no-open
FROM python:3.12-slim-bookworm AS build
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY proxylab proxylab
COPY envs envs
COPY experiments experiments
COPY results/tables/seeds-outliers.csv results/tables/
COPY results/tables/barriers-runs.csv results/tables/
COPY results/tables/random-share-runs.csv results/tables/
COPY results/tables/reward-mix-runs.csv results/tables/
COPY results/tables/early-warning-alarms.csv results/tables/
COPY results/tables/guard-gaming.csv results/tables/
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim-bookworm
# the index of PyTorch's CPU build, for an image without CUDA: --build-arg TORCH_INDEX=URL
ARG TORCH_INDEX=""
COPY constraints.txt /tmp/constraints.txt
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} \
        --constraint /tmp/constraints.txt "$(echo /wheels/proxylab-*.whl)[app]" \
    && useradd --create-home --uid 1000 proxylab \
    && mkdir /work && chown proxylab /work
USER proxylab
WORKDIR /work
ENV PROXYLAB_CACHE=/home/proxylab/.cache/proxylab
ENTRYPOINT ["proxylab"]
CMD ["--help"]
