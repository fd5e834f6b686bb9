# One image for all parts of tuban: workers, the Prefect server, the desk.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/tuban
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY configs configs
COPY tiles tiles
COPY detect detect
COPY models models
COPY clues clues
COPY web web
COPY flows flows
RUN /opt/tuban/bin/python -m pip install --no-cache-dir -c constraints.txt ".[postgis,docx]"

FROM python:3.11-slim-bookworm
# libgomp1: threads of compiled kernels; libexpat1: GDAL
RUN apt-get update -q \
 && apt-get install -qy --no-install-recommends libgomp1 libexpat1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 10001 tuban \
 && install -d -o tuban /data
COPY --from=build /opt/tuban /opt/tuban
ENV PATH=/opt/tuban/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DO_NOT_TRACK=1 \
    PREFECT_SERVER_ANALYTICS_ENABLED=false \
    PREFECT_HOME=/data/prefect \
    NUMBA_CACHE_DIR=/data/numba
USER tuban
WORKDIR /data
VOLUME /data
ENTRYPOINT ["tuban"]
CMD ["doctor"]
