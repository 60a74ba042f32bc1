# The lab in a container; compose.yaml runs it, docs/hosting.md says how. `make image` builds it.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS packages
# Where pip looks besides its usual index: PyTorch's own index of CPU wheels makes an image without CUDA that is some
# 4 GB smaller. Empty, torch is the usual wheel, which computes on the CPU and, where the container is given one, on a GPU.
ARG TORCH_INDEX=
WORKDIR /srv/lab
COPY requirements.txt requirements-sign-in.txt constraints.txt ./
RUN python -m venv /srv/venv && \
    PIP_EXTRA_INDEX_URL="${TORCH_INDEX}" /srv/venv/bin/python -m pip install --no-cache-dir \
    --disable-pip-version-check -r requirements.txt -r requirements-sign-in.txt

FROM python:${PYTHON}-slim
# Nothing of what runs belongs to the user that runs it, but the folders of what people make.
RUN useradd --uid 10001 --no-create-home --home-dir /srv/state --shell /usr/sbin/nologin lab && \
    install -d -o lab -g lab /srv/state /srv/state/runs /srv/state/visitors /srv/state/data /srv/state/cache
COPY --from=packages /srv/venv /srv/venv
WORKDIR /srv/lab
COPY LICENSE ./
COPY .streamlit .streamlit
COPY assets assets
COPY tools/start_app.py tools/start_app.py
COPY recam_core recam_core
COPY app app
RUN python -m compileall -q app recam_core
ENV PATH=/srv/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    PORT=8501 \
    HOME=/srv/state \
    XDG_CACHE_HOME=/srv/state/cache \
    MPLCONFIGDIR=/tmp/matplotlib \
    RECAM_RUNS=/srv/state/runs \
    RECAM_VISITORS=/srv/state/visitors \
    RECAM_DATA=/srv/state/data \
    RECAM_CACHE=/srv/state/cache
USER lab
VOLUME ["/srv/state/runs", "/srv/state/visitors", "/srv/state/data", "/srv/state/cache"]
EXPOSE 8501
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=2m --retries=3 \
    CMD ["python", "tools/start_app.py", "--healthy"]
CMD ["python", "tools/start_app.py"]
