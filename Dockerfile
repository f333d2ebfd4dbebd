# Smileline in one small image: own user, read-only root possible, data in /data.
#   docker build -t smileline .
#   docker run -p 8080:8080 -v smileline-data:/data --read-only --tmpfs /tmp -e SMILELINE_TELEGRAM_TOKEN_FILE=/run/secrets/telegram smileline
FROM python:3.12-slim AS build
WORKDIR /build
COPY requirements.lock pyproject.toml README.md ./
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY intents intents
COPY bot bot
RUN /venv/bin/pip install --no-cache-dir --no-deps .

FROM python:3.12-slim
RUN useradd --system --uid 10001 --home-dir /data --create-home smileline
COPY --from=build /venv /venv
COPY faq.yaml /app/faq.yaml
WORKDIR /app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    SMILELINE_HTTP=0.0.0.0:8080 SMILELINE_DATA_DIR=/data SMILELINE_DATABASE_URL=sqlite:////data/smileline.db
USER smileline
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["smileline", "health"]
CMD ["smileline", "run"]
