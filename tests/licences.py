#!/usr/bin/env python3
"""Checks the dependencies of Cargo.lock against deny.toml: licences, sources, banned crates, versions held twice.

For machines without cargo-deny, which does the same and more. Prints one line per finding; exits 1 when there are any.
"""
import collections
import json
import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def allowed(expression, licences):
    """Whether an SPDX expression can be satisfied by `licences`. `/` is the old way to write OR."""
    tokens = re.findall(r"[()]|[^\s()/]+", expression.replace("/", " OR "))
    position = 0

    def take():
        nonlocal position
        position += 1
        return tokens[position - 1]

    def peek():
        return tokens[position] if position < len(tokens) else None

    def term():
        token = take()
        if token == "(":
            value = either()
            take()
            return value
        if peek() == "WITH":
            take()
            token += " WITH " + take()
        return token in licences

    def both():
        value = term()
        while peek() == "AND":
            take()
            value = term() and value
        return value

    def either():
        value = both()
        while peek() == "OR":
            take()
            value = both() or value
        return value

    return either()


def findings(metadata, rules):
    licences = set(rules["licenses"]["allow"])
    sources = {"registry+" + url for url in rules["sources"]["allow-registry"]}
    banned = {ban["crate"]: ban["reason"] for ban in rules["bans"]["deny"]}
    skipped = [skip["crate"].split("@") for skip in rules["bans"]["skip"]]
    versions = collections.defaultdict(list)
    for package in metadata["packages"]:
        if package["source"] is None:
            continue
        name, version = package["name"], package["version"]
        if package["source"] not in sources:
            yield f"{name} {version}: comes from {package['source']}"
        if name in banned:
            yield f"{name} {version}: banned: {banned[name]}"
        if package["license"] is None or not allowed(package["license"], licences):
            yield f"{name} {version}: licence {package['license']} is not in deny.toml"
        if not any(name == n and (version + ".").startswith(v + ".") for n, v in skipped):
            versions[name].append(version)
    for name, several in versions.items():
        if len(several) > 1:
            yield f"{name}: held in versions {', '.join(several)}; use one, or list one in deny.toml with its reason"


def main():
    rules = tomllib.loads((ROOT / "deny.toml").read_text())
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    for target in rules["graph"]["targets"]:
        command += ["--filter-platform", target]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    found = list(findings(metadata, rules))
    print("\n".join(found) or f"{len(metadata['packages']) - 1} dependencies, all as deny.toml wants them")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
