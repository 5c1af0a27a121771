#!/usr/bin/env python3
"""Checks an image's files, exported as a tar archive, and its settings: owners, modes, what must not be there, and that the SBOM
accounts for every file. Says "ok" line by line; exit code 1 at the first thing that is wrong."""
import argparse
import hashlib
import json
import tarfile

# What a container runtime puts there itself when it makes a container.
RUNTIME = ("/dev", "/proc", "/sys", "/run", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/.dockerenv", "/etc/mtab")
PROGRAMS = {"ingress", "router-decision", "provider-adapter", "metrics-aggregator", "signalbox", "provider-fleet"}
TOOLS = {"sh", "bash", "dash", "busybox", "apt", "apt-get", "dpkg", "curl", "wget", "perl", "python3", "openssl", "redis-cli"}


def check(good, what, detail=""):
    if not good:
        raise SystemExit(f"  FAILED  {what}: {detail}")
    print(f"  ok  {what}")


def of_runtime(path):
    return any(path == r or path.startswith(r + "/") for r in RUNTIME)


def read(archive):
    """path → (tar member, content of a regular file)"""
    files = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            path = "/" + member.name.lstrip("./").rstrip("/")
            if of_runtime(path) or path == "/":
                continue
            content = None
            if member.isreg():
                content = tar.extractfile(member).read()
            elif member.islnk():  # a second name of a file
                content = files["/" + member.linkname.lstrip("./")][1]
            files[path] = (member, content)
    return files


def check_files(files, with_redis):
    data = {"/var/lib/signalbox"}
    foreign = [p for p, (m, _) in files.items() if (m.uid, m.gid) != ((65532, 65532) if p in data else (0, 0))]
    check(not foreign, "every file belongs to root, the data folder to 65532", foreign[:5])
    check(("/var/lib/signalbox" in files) == with_redis, "a data folder only where there is a Redis")
    loose = [p for p, (m, _) in files.items() if not m.issym() and m.mode & 0o022]
    check(not loose, "nothing is writable by group or others", loose[:5])
    special = [p for p, (m, _) in files.items() if m.mode & 0o7000 or m.ischr() or m.isblk() or "SCHILY.xattr.security.capability" in m.pax_headers]
    check(not special, "no setuid, setgid or sticky bit, no file capability, no device", special[:5])
    tools = [p for p, (m, _) in files.items() if not m.isdir() and p.rsplit("/", 1)[1] in TOOLS and not p.startswith("/var/lib/dpkg/status.d/")]
    check(not tools, "no shell, package manager or other tool", tools)
    executables = {p for p, (m, c) in files.items() if c is not None and m.mode & 0o111 and ".so" not in p.rsplit("/", 1)[1]}
    expected = {f"/usr/local/bin/{p}" for p in PROGRAMS} | ({"/usr/bin/redis-check-rdb"} if with_redis else set())
    check(executables == expected, "the only executables are ours" + (" and redis-server's" if with_redis else ""), executables ^ expected)
    names = set(files)
    broken = []
    for path, (member, _) in files.items():
        if member.issym():
            base = member.linkname if member.linkname.startswith("/") else path.rsplit("/", 1)[0] + "/" + member.linkname
            parts = []
            for part in base.split("/"):
                if part == "..":
                    parts.pop()
                elif part not in ("", "."):
                    parts.append(part)
            if "/" + "/".join(parts) not in names:
                broken.append(path)
    check(not broken, "every symbolic link leads somewhere", broken[:5])


def check_sbom(files, version):
    document = json.loads(files["/usr/share/signalbox/sbom.spdx.json"][1])
    packages = {p["SPDXID"]: p for p in document["packages"]}
    for entry in packages.values():
        missing = [k for k in ("name", "versionInfo", "supplier", "licenseDeclared", "externalRefs") if not entry.get(k)]
        if missing:
            check(False, "every package of the SBOM is described", f"{entry['name']} lacks {missing}")
    check(packages["SPDXRef-Package-signalbox"]["versionInfo"] == version, "the SBOM is of this version")
    listed = {f["SPDXID"]: f for f in document["files"]}
    holders = {r["relatedSpdxElement"]: r["spdxElementId"] for r in document["relationships"] if r["relationshipType"] == "CONTAINS"}
    by_path = {f["fileName"].lstrip("."): f for f in document["files"]}
    check(len(by_path) == len(listed) == len(document["files"]), "no file is listed twice in the SBOM")
    actual = {p for p, (_, c) in files.items() if c is not None and p != "/usr/share/signalbox/sbom.spdx.json"}
    check(actual == set(by_path), f"the SBOM lists exactly the {len(actual)} files of the image", sorted(actual ^ set(by_path))[:5])
    wrong = [p for p in actual if {c["algorithm"]: c["checksumValue"] for c in by_path[p]["checksums"]}["SHA256"] != hashlib.sha256(files[p][1]).hexdigest()]
    check(not wrong, "the checksums in the SBOM are those of the files", wrong[:5])
    libraries = [p for p in actual if ".so" in p.rsplit("/", 1)[1] and p.startswith("/usr/lib/")]
    ownerless = [p for p in libraries if not any(ref["referenceLocator"].startswith("pkg:deb/debian/")
                                                 for ref in packages[holders[by_path[p]["SPDXID"]]]["externalRefs"])]
    check(libraries and not ownerless, f"each of the {len(libraries)} libraries belongs to a Debian package of the SBOM", ownerless[:5])
    debian = [p["name"] for p in packages.values() if p["name"] != "signalbox"]
    unlicensed = [p for p in debian if f"/usr/share/doc/{p}/copyright" not in files]
    check(not unlicensed, f"the copyright file of each of the {len(debian)} Debian packages is there", unlicensed[:5])
    shipped = {packages[h]["name"] for h in holders.values()} - {"signalbox"}
    unrecorded = [p for p in shipped if f"/var/lib/dpkg/status.d/{p}" not in files]
    check(not unrecorded, f"each of the {len(shipped)} packages with files in the image is recorded for scanners", unrecorded[:5])


def check_settings(settings, version, with_redis):
    config = settings.get("Config", {})
    labels = config.get("Labels") or settings.get("Labels") or {}
    check(config.get("User") == "65532:65532", "runs as 65532:65532", config.get("User"))
    check(not config.get("Entrypoint"), "no entry point", config.get("Entrypoint"))
    check(labels.get("org.opencontainers.image.version") == version, "labelled with its version", labels)
    for name in ("title", "description", "licenses", "revision", "source"):
        if f"org.opencontainers.image.{name}" not in labels:
            check(False, "labels", f"org.opencontainers.image.{name} is missing")
    stop = config.get("StopSignal") or settings.get("StopSignal") or "SIGTERM"
    check(stop in ("SIGTERM", "15"), "stopped by SIGTERM", stop)
    health = config.get("Healthcheck") or settings.get("Healthcheck") or settings.get("HealthCheck") or {}
    check("--probe=127.0.0.1:9091" in (health.get("Test") or []), "has a health check", health)
    check(bool(config.get("Volumes")) == with_redis, "a volume only where there is a Redis", config.get("Volumes"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tar", required=True, help="`docker export` of a container of the image")
    parser.add_argument("--image", required=True, help="`docker image inspect`")
    parser.add_argument("--version", required=True)
    parser.add_argument("--redis", action="store_true", help="the image has a redis-server")
    options = parser.parse_args()
    files = read(options.tar)
    check_settings(json.load(open(options.image, encoding="utf-8"))[0], options.version, options.redis)
    check_files(files, options.redis)
    check_sbom(files, options.version)
    size = sum(len(c) for _, c in files.values() if c is not None)
    print(f"      {size / 1e6:.1f} MB of files")
    for path, (member, content) in sorted(files.items(), key=lambda item: -len(item[1][1] or b""))[:8]:
        print(f"      {len(content or b'') / 1e6:6.2f} MB  {path}")


if __name__ == "__main__":
    main()
