#!/usr/bin/env bash
# Install the peers, each in a virtual environment of its own: install.sh FOLDER. Needs python3.11; a few minutes.
set -euo pipefail
folder=${1:?where the environments go}
python=${PYTHON:-python3.11}
mkdir -p "$folder"
"$python" -m venv "$folder/spu"
timeout 1200 "$folder/spu/bin/pip" install -q spu==0.9.5                   # brings jax 0.4.34
"$python" -m venv "$folder/crypten"
timeout 1200 "$folder/crypten/bin/pip" install -q torch==2.13.0 numpy
timeout 300 "$folder/crypten/bin/pip" install -q --no-deps crypten==0.4.1
timeout 600 "$folder/crypten/bin/pip" install -q onnx pyyaml pandas scikit-learn omegaconf
