# The course in JupyterLab, for one person, or as the image of a JupyterHub (docs/elsewhere.md):
#   docker build --tag transformer-by-hand .
#   docker run --rm --publish 127.0.0.1:8888:8888 --volume "$PWD:/home/learner/work" transformer-by-hand

# --- What others have made: built again only if one of the files that are copied here changes ------
FROM python:3.12-slim AS packages

# Not root; and with the number that most people have at home, so that what is written is theirs.
ARG NB_USER=learner
ARG NB_UID=1000
RUN useradd --create-home --uid "$NB_UID" --shell /bin/bash "$NB_USER" \
    && apt-get update && apt-get install --no-install-recommends --yes git make \
    && rm -rf /var/lib/apt/lists/*

# uv reads in pyproject.toml where PyTorch is had without CUDA. The engine comes in the next layer.
WORKDIR /packages
COPY constraints.txt pyproject.toml ./
COPY autograder/pyproject.toml autograder/
RUN sed -i '/"autograder-engine"/d' pyproject.toml \
    && pip install --no-cache-dir uv \
    && uv pip install --system --no-cache --constraint constraints.txt \
        --requirements pyproject.toml --requirements autograder/pyproject.toml "setuptools>=77"

# --- The engine, and then the course: a lesson that changes costs seconds --------------------------
FROM packages AS course
WORKDIR /build
COPY autograder autograder
RUN pip install --no-cache-dir --no-deps --no-build-isolation ./autograder
COPY LICENSE LICENSE-TEXT.md README.md pyproject.toml ./
COPY notebooks/lessons notebooks/lessons
COPY solutions solutions
COPY translation translation
COPY course course
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

ENV JUPYTER_CONFIG_PATH=/usr/local/lib/python3.12/site-packages/course/jupyter
USER $NB_USER
RUN mkdir "/home/$NB_USER/work"
WORKDIR /home/$NB_USER/work
EXPOSE 8888
# What is in that folder already stays as it is.
CMD ["sh", "-c", "autograder lessons . && exec jupyter lab --ip=0.0.0.0 --no-browser --LabApp.default_url=/lab/tree/notebooks/00_start.ipynb"]
