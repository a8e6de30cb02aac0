# One version of a model in R. The build context has Dockerfile (this file), dependencies (the user's,
# or empty) and source/ (the user's files).
ARG HARNESS
FROM ${HARNESS}

USER 0:0

# Packages before code: a change of code alone installs nothing.
RUN --mount=type=bind,source=dependencies,target=/run/dependencies \
    --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \
    python -P -m model_harness_r.dependencies /run/dependencies

COPY source/ /opt/model/
RUN chmod -R u=rwX,go=rX /opt/model

USER 65532:65532
