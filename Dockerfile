# The server over HTTP, with its metrics and PostgreSQL. What it writes is in /state and /output
# alone, so that the rest may be read-only; docs/hosting.md runs it.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY src src
RUN python -m venv /app && /app/bin/pip install --no-cache-dir --disable-pip-version-check ".[metrics,postgres]"

FROM python:3.13-slim
RUN groupadd --gid 10001 geekai \
    && useradd --uid 10001 --gid geekai --no-create-home --home-dir /state --shell /usr/sbin/nologin geekai \
    && install -d -o geekai -g geekai -m 0700 /state /output
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GEEKAI_STATE_DIR=/state \
    GEEKAI_OUTPUT_DIR=/output \
    GEEKAI_LOG_FORMAT=json
USER 10001:10001
VOLUME ["/state", "/output"]
EXPOSE 8765
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8765/health', timeout=4)"]
ENTRYPOINT ["geekai-video-mcp"]
CMD ["serve", "--transport", "http", "--host", "0.0.0.0"]
