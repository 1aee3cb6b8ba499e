#!/bin/sh
# Print the path of a Python of the given version, or fail. pyenv's shims are on the PATH
# for versions that are installed, but answer only for those that are switched on.
for python in "python$1" "$HOME"/.pyenv/versions/"$1".*/bin/python; do
    if "$python" -c 'import venv' 2>/dev/null; then
        command -v "$python"
        exit
    fi
done
exit 1
