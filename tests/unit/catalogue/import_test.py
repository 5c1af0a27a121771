#!/usr/bin/env python3
"""The shipped catalogue is what the importer makes of the tables. Exit code 77 = the tables are not here."""

import filecmp
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
SHIPPED = ROOT / "deploy" / "catalogue"
TABLES = pathlib.Path(os.environ.get("SIGNALBOX_SHARED", ROOT.parent / "shared")) / "data"
ARGUMENTS = {
    "models": "openrouter_models_*.csv",
    "endpoints": "openrouter_endpoints_*.csv",
    "providers": "openrouter_providers_*.csv",
    "modelsdev-providers": "modelsdev_providers_*.csv",
    "modelsdev-catalog": "modelsdev_catalog_*.csv",
}


def main():
    command = [sys.executable, "-B", str(SHIPPED / "import.py")]
    for name, pattern in ARGUMENTS.items():
        tables = sorted(TABLES.glob(pattern))
        if not tables:
            print(f"skipped: no {pattern} in the folder of tables")
            return 77
        command += [f"--{name}", str(tables[-1])]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(command + ["--out", folder], check=True)
        made = sorted(path.relative_to(folder) for path in pathlib.Path(folder).rglob("*.yaml"))
        shipped = sorted(path.relative_to(SHIPPED) for path in SHIPPED.rglob("*.yaml"))
        if made != shipped:
            print(f"files differ: {sorted(set(made) ^ set(shipped))}")
            return 1
        stale = [str(name) for name in made if not filecmp.cmp(SHIPPED / name, pathlib.Path(folder) / name, shallow=False)]
    if stale:
        print(f"not what the importer makes: {stale}")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
