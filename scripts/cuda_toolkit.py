"""Making a CUDA toolkit out of the wheels that carry one.

NVIDIA's wheels unpack a toolkit into site-packages/nvidia/cuNN, but with versioned libraries only
and without the folder names that CMake's FindCUDAToolkit looks for.
"""

from pathlib import Path


def complete(site_packages: Path) -> Path | None:
    """Add the links that a compiler expects; returns the toolkit's root, None without nvcc.

    Only links are added: the files themselves may be hard links into a package cache.
    """
    roots = sorted(path.parent.parent for path in site_packages.glob("nvidia/cu*/bin/nvcc"))
    if not roots:
        return None
    root = roots[-1]
    for library in sorted((root / "lib").glob("lib*.so.*")):
        plain = library.with_name(library.name.split(".so.")[0] + ".so")
        if not plain.exists():
            plain.symlink_to(library.name)
    if not (root / "lib64").exists():
        (root / "lib64").symlink_to("lib")
    return root
