#!/usr/bin/env python3
"""Plants breaches in a copy of a tiny tree and fails unless tidy.py reports each of them."""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PLANTED = {
    'common/base/a.h': ('// A header.\n#include "common/http/server.h"\n', 'common/base may not include'),
    'services/ingress/core/b.h': ('// A header.\n#include <grpcpp/server.h>\n', 'services/ingress/core may not include'),
    'services/ingress/c.h': ('// A header.\n#include "services/router-decision/module.h"\n', 'services/ingress may not include'),
    'common/json/d.cc': ('void F() { throw 1; }\n', 'no exceptions'),
    'common/sse/e.cc': ('auto t = std::chrono::system_clock::now();\n', 'take a Clock'),
    'common/obs/string_util.h': ('// A header.\n', 'a name that says nothing'),
}

with tempfile.TemporaryDirectory() as root:
    os.makedirs(root + '/tests/tidy')
    shutil.copy(HERE + '/layers.txt', root + '/tests/tidy/layers.txt')
    for path, (text, _) in PLANTED.items():
        os.makedirs(os.path.dirname(f'{root}/{path}'), exist_ok=True)
        open(f'{root}/{path}', 'w').write(text)
    subprocess.run(['git', 'init', '-q', root], check=True)
    result = subprocess.run([sys.executable, HERE + '/tidy.py', root], capture_output=True, text=True)
    missing = [f'{path}: {text}' for path, (_, text) in PLANTED.items()
               if not any(line.startswith(path) and text in line for line in result.stdout.split('\n'))]
    if missing or result.returncode != 1:
        print(result.stdout)
        sys.exit('tidy.py did not report: ' + '; '.join(missing))
print('every planted breach was found')
