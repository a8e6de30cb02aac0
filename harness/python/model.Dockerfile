# One version of a model. The build context has Dockerfile (this file), requirements.txt (the user's,
# or empty) and source/ (the user's files).
ARG HARNESS
FROM ${HARNESS}

USER 0:0

# Packages before code: a change of code alone installs nothing. The packages of the harness are
# constraints: another version of one of them would cause errors only in production.
# A package's setup.py may write to the cache, so each model has its own: @MODEL@ becomes the model's
# name when the context is staged. A build argument would not do: Docker 20.10 expands none here.
RUN --mount=type=bind,source=requirements.txt,target=/run/requirements.txt \
    --mount=type=cache,id=pip-@MODEL@,target=/var/cache/pip \
    { pip install --cache-dir /var/cache/pip --requirement /run/requirements.txt \
        --constraint /opt/venv/harness-constraints.txt && pip check; } \
    || { echo "The packages in the version's requirements.txt cannot be installed together with" \
        "the harness's own; the lines above say which. The harness needs:" \
        "$(tr '\n' ' ' < /opt/venv/harness-constraints.txt)" >&2; exit 1; }

# A file that does not compile (templates, other versions of Python) does not fail the build; the
# harness reports it at the start if the handler imports it.
COPY source/ /opt/model/
RUN chmod -R u=rwX,go=rX /opt/model \
    && { python -m compileall -q --invalidation-mode unchecked-hash /opt/model || true; }

USER 65532:65532
