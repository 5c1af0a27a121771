#!/usr/bin/env python3
"""Assembles the file trees of the images inside the build stage (Debian 12): the executables, the shared libraries they need, the
certificate bundle, the shipped catalogue and benchmark suite, the licences of everything, and an SBOM.

    assemble.py --build build/release --version 0.1.0 --out /out

makes OUT/signalbox (complete), OUT/all-in-one (only what the second image adds or replaces) and OUT/data/signalbox (its data folder)."""
import argparse
import datetime
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import urllib.parse

PROGRAMS = ["ingress", "router-decision", "provider-adapter", "metrics-aggregator", "signalbox", "provider-fleet"]
USER = 65532
SBOM = "/usr/share/signalbox/sbom.spdx.json"


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


# --- Debian's records -----------------------------------------------------------------------------------------------------

@functools.lru_cache(maxsize=None)
def owner(path):
    """The package a file belongs to ("libc6:amd64"). Debian 12 records libraries under /lib although they lie in /usr/lib."""
    real = os.path.realpath(path)
    for name in (path, real, real.replace("/usr", "", 1), "/usr" + path):
        found = subprocess.run(["dpkg-query", "-S", name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if found.returncode == 0:
            return found.stdout.split(": ")[0].split(",")[0]
    raise SystemExit(f"assemble: no Debian package owns {path}")


@functools.lru_cache(maxsize=None)
def record(package):
    names = ["Package", "Version", "Architecture", "source:Package", "source:Version", "Maintainer", "Homepage"]
    values = run("dpkg-query", "-W", "-f", "\\n".join("${%s}" % n for n in names), package).split("\n")
    return dict(zip(names, values + [""] * len(names)))


def name_of(package):
    return package.split(":")[0]


def copyright_of(package):
    path = os.path.realpath(f"/usr/share/doc/{name_of(package)}/copyright")
    if not os.path.exists(path):
        raise SystemExit(f"assemble: {package} has no copyright file")
    return path


def licences_named(package):
    """The short names in a machine-readable copyright file; [] where Debian has only prose."""
    text = open(copyright_of(package), encoding="utf-8", errors="replace").read()
    if not re.match(r"\s*Format:", text):
        return []
    return sorted(set(re.findall(r"^License:[ \t]*(\S.*?)[ \t]*$", text, re.M)))


# --- files ----------------------------------------------------------------------------------------------------------------

class Tree:
    """One image's files. Remembers which package each came from."""

    def __init__(self, root, below=None):
        self.root, self.below = root, below
        self.packages = {}  # path in the image → package, or "" for Signalbox's own and generated files

    def has(self, path):
        return path in self.packages or (self.below is not None and self.below.has(path))

    def put(self, path, package="", *, source=None, text=None, mode=0o644):
        target = self.root + path
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if source is not None:
            shutil.copyfile(source, target)
        else:
            with open(target, "w", encoding="utf-8") as file:
                file.write(text)
        os.chmod(target, mode)
        self.packages[path] = package

    def link(self, path, to, package=""):
        os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
        os.symlink(to, self.root + path)
        self.packages[path] = package

    def take(self, path):
        """Copies a file of a Debian package as it is, the target of a link as well."""
        path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if self.has(path):
            return
        if os.path.islink(path):
            to = os.path.realpath(path)
            self.link(path, os.path.relpath(to, os.path.dirname(path)), owner(path))
            self.take(to)
        else:
            self.put(path, owner(path), source=path, mode=0o755 if os.access(path, os.X_OK) else 0o644)

    def all_packages(self):
        own = {p for p in self.packages.values() if p}
        return own | (self.below.all_packages() if self.below else set())

    def all_files(self):
        """path → (package, place on disk) of regular files but the SBOM itself; what this tree replaces counts once."""
        files = self.below.all_files() if self.below else {}
        for path, package in self.packages.items():
            if path != SBOM and not os.path.islink(self.root + path):
                files[path] = (package, self.root + path)
        return files


def libraries(executable):
    """What the dynamic loader loads for it, the loader included."""
    paths = []
    for line in run("ldd", executable).splitlines():
        if "not found" in line:
            raise SystemExit(f"assemble: {executable}: {line.strip()}")
        found = re.search(r"=> (/\S+)", line) or re.match(r"\s*(/\S+) \(", line)
        if found:
            paths.append(found.group(1))
    return paths


def add_programs(tree, build):
    for name in PROGRAMS:
        path = f"/usr/local/bin/{name}"
        tree.put(path, source=f"{build}/bin/{name}", mode=0o755)
        subprocess.run(["strip", "--strip-all", tree.root + path], check=True)
        for library in libraries(f"{build}/bin/{name}"):
            tree.take(library)


def add_system(tree):
    # The loader's own path is /lib64/…, as in Debian.
    for name in ("lib", "lib64"):
        tree.link(f"/{name}", f"usr/{name}")
    for library in list(tree.packages):
        if os.path.basename(library).startswith("ld-linux") and os.path.lexists(f"/lib64/{os.path.basename(library)}"):
            tree.take(f"/lib64/{os.path.basename(library)}")
    tree.put("/etc/passwd", text=f"root:x:0:0:root:/root:/nonexistent\nsignalbox:x:{USER}:{USER}:Signalbox:/nonexistent:/nonexistent\n")
    tree.put("/etc/group", text=f"root:x:0:\nsignalbox:x:{USER}:\n")
    tree.put("/etc/nsswitch.conf", text="passwd: files\ngroup: files\nhosts: files dns\n")
    tree.take(os.path.realpath("/etc/os-release"))
    tree.link("/etc/os-release", "../usr/lib/os-release")
    # From the package's files, not from /etc/ssl of this machine, which may hold authorities of its own.
    certificates = sorted(p for p in run("dpkg-query", "-L", "ca-certificates").split() if p.endswith(".crt"))
    tree.put("/etc/ssl/certs/ca-certificates.crt", "ca-certificates", text="".join(open(c, encoding="ascii").read() for c in certificates))
    tree.link("/usr/lib/ssl/cert.pem", "/etc/ssl/certs/ca-certificates.crt")
    os.makedirs(tree.root + "/etc/signalbox")


def add_data(tree):
    for name in ("catalogue", "benchmark"):
        for folder, _, files in os.walk(f"deploy/{name}"):
            for file in sorted(files):
                inside = os.path.relpath(os.path.join(folder, file), "deploy")
                tree.put(f"/usr/share/signalbox/{inside}", source=os.path.join(folder, file))
    tree.put("/usr/share/doc/signalbox/copyright", source="LICENSE")


def add_licences(tree, headers):
    shipped = tree.all_packages()
    for package in sorted(shipped | headers):
        path = f"/usr/share/doc/{name_of(package)}/copyright"
        if not tree.has(path):
            tree.put(path, package if package in shipped else "", source=copyright_of(package))
    # The texts that Debian's copyright files point to.
    folder = "/usr/share/common-licenses"
    for name in sorted(os.listdir(folder)):
        if not tree.has(f"{folder}/{name}"):
            tree.take(f"{folder}/{name}")


def add_package_records(tree):
    """One stanza per package where scanners of images without a package manager look for them."""
    for package in sorted(tree.all_packages()):
        path = f"/var/lib/dpkg/status.d/{name_of(package)}"
        if not tree.has(path):
            tree.put(path, text=run("dpkg-query", "-s", package))


def compiled_in(build):
    """Packages of which code is inside our executables: headers they were compiled from and archives they were linked with."""
    targets = set(PROGRAMS)
    wanted = set()
    for line in run("ninja", "-C", build, "-t", "commands", *[f"bin/{t}" if os.path.exists(f"{build}/bin/{t}") else t for t in sorted(targets)]).splitlines():
        wanted.update(re.findall(r"(/usr/lib/\S+\.a)(?:\s|$)", line))
    for line in run("ninja", "-C", build, "-t", "deps").splitlines():
        if line.startswith("    /usr/"):
            wanted.add(line.strip())
    # Several thousand headers: one question for all.
    owners, missing = set(), []
    paths = sorted(os.path.realpath(p) for p in wanted)
    for start in range(0, len(paths), 500):
        found = subprocess.run(["dpkg-query", "-S", *paths[start:start + 500]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        owners.update(line.split(": ")[0].split(",")[0] for line in found.stdout.splitlines())
        missing += re.findall(r"no path found matching pattern (\S+)", found.stderr)
    owners.update(owner(p.rstrip(".")) for p in missing)
    # Declarations of the C library and the kernel: no code of theirs, and to scanners every flaw of a kernel.
    return {o for o in owners if name_of(o) not in ("libc6-dev", "linux-libc-dev")}


# --- SBOM -----------------------------------------------------------------------------------------------------------------

def spdx_id(kind, text):
    return f"SPDXRef-{kind}-" + re.sub(r"[^A-Za-z0-9.-]", "-", text)


def package_entry(package, codename):
    facts = record(package)
    named = licences_named(package)
    comment = f"Licences: /usr/share/doc/{facts['Package']}/copyright in the image."
    if named:
        comment += " Named there: " + "; ".join(named) + "."
    qualifiers = urllib.parse.urlencode({"arch": facts["Architecture"], "distro": codename, "upstream": f"{facts['source:Package']}@{facts['source:Version']}"},
                                        quote_via=urllib.parse.quote)
    purl = f"pkg:deb/debian/{facts['Package']}@{urllib.parse.quote(facts['Version'], safe='.~-')}?{qualifiers}"
    entry = {
        "SPDXID": spdx_id("Package", facts["Package"]),
        "name": facts["Package"],
        "versionInfo": facts["Version"],
        "supplier": "Organization: Debian",
        "originator": "Organization: " + facts["Maintainer"].replace("<", "(").replace(">", ")"),
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "sourceInfo": f"built from Debian source package {facts['source:Package']} {facts['source:Version']}",
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "licenseComments": comment,
        "copyrightText": "NOASSERTION",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}],
    }
    if facts["Homepage"]:
        entry["homepage"] = facts["Homepage"]
    return entry


def sbom(image, tree, headers, version, codename):
    packages = [{
        "SPDXID": "SPDXRef-Package-signalbox", "name": "signalbox", "versionInfo": version, "supplier": "NOASSERTION",
        "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "Apache-2.0", "licenseDeclared": "Apache-2.0",
        "copyrightText": "NOASSERTION", "primaryPackagePurpose": "APPLICATION",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": f"pkg:generic/signalbox@{version}"}],
    }]
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Package-signalbox")]
    shipped = tree.all_packages()
    for package in sorted(shipped | headers):
        packages.append(package_entry(package, codename))
        if package in shipped and package not in headers:
            relations.append(("SPDXRef-Package-signalbox", "DEPENDS_ON", packages[-1]["SPDXID"]))
        else:
            relations.append((packages[-1]["SPDXID"], "BUILD_DEPENDENCY_OF", "SPDXRef-Package-signalbox"))
    files, held = [], {}
    for path, (package, place) in sorted(tree.all_files().items()):
        data = open(place, "rb").read()
        entry = {
            "SPDXID": spdx_id("File", path.lstrip("/")), "fileName": "." + path,
            "checksums": [{"algorithm": "SHA1", "checksumValue": hashlib.sha1(data).hexdigest()},
                          {"algorithm": "SHA256", "checksumValue": hashlib.sha256(data).hexdigest()}],
            "licenseConcluded": "NOASSERTION", "licenseInfoInFiles": ["NOASSERTION"], "copyrightText": "NOASSERTION",
        }
        files.append(entry)
        holder = spdx_id("Package", name_of(package)) if package else "SPDXRef-Package-signalbox"
        relations.append((holder, "CONTAINS", entry["SPDXID"]))
        held.setdefault(holder, []).append(entry["checksums"][0]["checksumValue"])
    for entry in packages:
        if entry["SPDXID"] in held:  # SPDX 2.3 §7.9: SHA1 of the sorted SHA1s
            code = hashlib.sha1("".join(sorted(held[entry["SPDXID"]])).encode()).hexdigest()
            entry.update(filesAnalyzed=True, packageVerificationCode={"packageVerificationCodeValue": code},
                         comment="Only the files that are in the image are listed.")
    content = {
        "packages": packages, "files": files,
        "relationships": [{"spdxElementId": a, "relationshipType": kind, "relatedSpdxElement": b} for a, kind, b in relations],
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc) if epoch else datetime.datetime.now(datetime.timezone.utc)
    return json.dumps({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"{image}-{version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/{image}-{version}-{digest[:32]}",
        "creationInfo": {"created": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": ["Tool: signalbox-deploy-docker-assemble.py"]},
        **content,
    }, indent=1) + "\n"


def add_records(image, tree, headers, version, codename):
    add_licences(tree, headers)
    add_package_records(tree)
    # Last, as it lists everything else.
    tree.put(SBOM, text=sbom(image, tree, headers, version, codename))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--build", required=True, help="CMake's build folder")
    parser.add_argument("--version", required=True)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    if not re.fullmatch(r"\d+\.\d+\.\d+\S*", options.version):
        parser.error(f"--version {options.version!r} is no version")
    os.umask(0o022)
    codename = re.search(r"^VERSION_CODENAME=(\S+)", open("/etc/os-release", encoding="utf-8").read(), re.M).group(1)
    headers = compiled_in(options.build)

    plain = Tree(f"{options.out}/signalbox")
    add_programs(plain, options.build)
    add_system(plain)
    add_data(plain)
    add_records("signalbox", plain, headers, options.version, codename)

    with_redis = Tree(f"{options.out}/all-in-one", below=plain)
    with_redis.take("/usr/bin/redis-server")
    for library in libraries("/usr/bin/redis-server"):
        with_redis.take(library)
    add_records("signalbox-all-in-one", with_redis, headers, options.version, codename)

    data = f"{options.out}/data/signalbox"
    os.makedirs(data, mode=0o700)
    for name, tree in (("signalbox", plain), ("all-in-one", with_redis)):
        print(f"{name}: {len(tree.all_files())} files of {len(tree.all_packages())} Debian packages, code of {len(headers)} compiled in, "
              f"{sum(os.path.getsize(p) for _, p in tree.all_files().values()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
