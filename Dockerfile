# radhard on the CPU:  docker build --tag radhard .
#   docker run --rm --volume "$PWD":/data radhard sweep fashion-vit --images 100 --store run.db
#
# TORCH_INDEX is the address of PyTorch's CPU builds, as PyTorch's web site states it. Without it pip takes the default
# build, which is for CUDA and much larger.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
ARG TORCH_INDEX=""
WORKDIR /source
COPY pyproject.toml constraints.txt DESCRIPTION.md README.md LICENSE ./
COPY docs/schema docs/schema
COPY src src
RUN python -m venv /opt/radhard \
    && /opt/radhard/bin/pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} \
        --constraint constraints.txt ".[cluster,hf,pandas]"

FROM python:${PYTHON}-slim
COPY --from=build /opt/radhard /opt/radhard
RUN useradd --create-home --uid 1000 radhard && mkdir /data && chown radhard /data
USER radhard
WORKDIR /data
ENV PATH=/opt/radhard/bin:$PATH
ENTRYPOINT ["radhard"]
CMD ["--help"]
