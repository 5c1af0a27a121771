#!/usr/bin/env python3
"""Makes the shipped catalogue (providers.yaml, models/*.yaml) out of tables of public facts.

    deploy/catalogue/import.py --models FILE --endpoints FILE --providers FILE \
        --modelsdev-providers FILE --modelsdev-catalog FILE [--out FOLDER]

Each table is CSV whose first line names its source and date. The same tables always give the same files.
"""

import argparse
import csv
import datetime
import pathlib
import re
import sys
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal

from provider_map import (AUTHOR_SPELLING, FIRST_PARTY_AUTHORS, FREE_HOSTS, MODELSDEV_ONLY, REACH, TAG_SPELLING,
                          UPSTREAM_EXCEPTIONS, UPSTREAM_NAMES, Reach)

PICO = Decimal("0.000000000001")  # prices are exact to 12 decimals
PLAIN = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_./+-]*\Z")
WORDS = {"true", "false", "null", "yes", "no", "on", "off", "~"}
SKIPPED_AUTHORS = {"openrouter", "stealth"}  # routers, and models without a known maker or host
OTHER_JOBS = re.compile(
    r"embed|guard|rerank|whisper|tts|moderation|ocr|parse|reward|safety|calibration|translate|realtime|live-|retriever|"
    r"-asr|deep-research|bge-|/e5-|-e5-|gliner|paligemma|esm2|esmfold|voice|-mt-|-edit-"
)  # models.dev lists them among the chat models
INPUTS = ["text", "image", "file", "audio", "video"]
OUTPUTS = ["text", "image", "audio", "video"]
SKIPPED_VARIANTS = {"batch", "thinking"}  # batch is another API; thinking is withdrawn


def read_table(path):
    """The rows as dictionaries, and what the first line says of their source."""
    with open(path, encoding="utf-8", newline="") as table:
        source = table.readline().lstrip("# ").strip()
        return list(csv.DictReader(table)), source.removeprefix("source: ")


# --- YAML ------------------------------------------------------------------------------------------------------------


def text(value):
    value = str(value)
    if PLAIN.match(value) and value.lower() not in WORDS:
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def flow(value):
    """A value in YAML's flow style; strings are quoted where they must be, empty members left out."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {flow(v)}" for k, v in value.items() if present(v)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(v) for v in value) + "]"
    return text(value)


def present(value):
    return value is not None and value != "" and value != [] and value != {}


def block(members, indent):
    """A mapping as a list item in block style, with lists of mappings one item per line."""
    lines = []
    for key, value in members.items():
        if not present(value):
            continue
        if isinstance(value, list) and value and isinstance(value[0], dict):
            lines.append(f"{key}:")
            lines += [f"- {flow(item)}" for item in value]
        else:
            lines.append(f"{key}: {flow(value)}")
    return "\n".join((indent + "- " if i == 0 else indent + "  ") + line for i, line in enumerate(lines))


# --- facts -----------------------------------------------------------------------------------------------------------


def price(value, per_million=False):
    """Exact decimal USD per unit, or empty when the table says nothing."""
    if value in ("", None):
        return ""
    amount = (Decimal(value) / (1_000_000 if per_million else 1)).quantize(PICO, ROUND_HALF_UP)
    if amount < 0:
        return ""
    plain = f"{amount:f}"
    return plain.rstrip("0").rstrip(".") or "0"


def key_of(name):
    """A model's name without author, punctuation and the marks that hosts add: what makes two spellings equal."""
    name = name.lower().split("/")[-1]
    name = re.sub(r"(\d)p(\d)", r"\1.\2", name)  # "glm-5p1" is "glm-5.1"
    name = re.sub(r"-(tee|fp8|fp4|nvfp4|bf16|awq|latest)$", "", name)
    return re.sub(r"[^a-z0-9]", "", name)


def without_date(name):
    return re.sub(r"-(\d{8}|\d{4}-\d{2}-\d{2}|\d{4}|latest|0)$", "", name)


class ModelsDev:
    """The models.dev tables, by provider and model name."""

    def __init__(self, providers, catalog):
        self.providers = {row["provider"]: row for row in providers}
        self.offers = defaultdict(list)
        self.by_key = defaultdict(lambda: defaultdict(list))
        for row in catalog:
            self.offers[row["provider"]].append(row)
            self.by_key[row["provider"]][key_of(row["model_id"])].append(row["model_id"])

    def upstream(self, provider, model, hugging_face):
        """The provider's own name of a model, or None. Of several that match, the one spelt like the model's ids."""
        known = self.by_key.get(provider, {})
        found = known.get(key_of(model)) or known.get(key_of(hugging_face)) or []
        ours = {model.lower(), hugging_face.lower()}
        return min(found, key=lambda name: (name.lower() not in ours, len(name), name), default=None)


def offer_price(row):
    """Of a models.dev row (USD per million tokens)."""
    return {
        "prompt": price(row["cost_input"], per_million=True),
        "completion": price(row["cost_output"], per_million=True),
        "cache_read": price(row["cost_cache_read"], per_million=True),
        "cache_write": price(row["cost_cache_write"], per_million=True),
    }


def offer_parameters(row):
    names = ["max_tokens", "temperature", "top_p", "stop"]
    if row["tools"] == "1":
        names += ["tools", "tool_choice"]
    if row["structured_output"] == "1":
        names += ["response_format", "structured_outputs"]
    if row["reasoning"] == "1":
        names += ["reasoning", "include_reasoning"]
    return sorted(names)


def modalities(value, allowed):
    given = set(value.replace("pdf", "file").replace("|", "+").split("+"))
    return [m for m in allowed if m in given] or ["text"]


def clamp(limit, context):
    """A limit within the context length, or None when unknown."""
    limit = int(limit or 0)
    return min(limit, context) if limit and context else limit or None


# --- assembly --------------------------------------------------------------------------------------------------------


class Importer:
    def __init__(self, tables, modelsdev):
        self.tables = tables
        self.modelsdev = modelsdev
        self.models = {}  # id -> members
        self.used = set()  # provider slugs
        self.aborts = defaultdict(list)  # provider slug -> does each endpoint stop when the connection closes
        self.trains = defaultdict(list)

    def run(self):
        self.add_models()
        self.add_endpoints()
        self.add_free_variants()
        for slug, name in MODELSDEV_ONLY.items():
            self.add_offers(slug, name)
        for slug in FIRST_PARTY_AUTHORS:
            if slug in REACH and REACH[slug].modelsdev:
                self.add_offers(slug, REACH[slug].modelsdev)

    def add_models(self):
        for row in self.tables["models"]:
            base, _, variant = row["id"].partition(":")
            author = base.split("/")[0]
            if variant in SKIPPED_VARIANTS or author in SKIPPED_AUTHORS or base[0] == "~" or base in self.models:
                continue
            left, _, right = row["modality"].partition("->")
            slug = row["canonical_slug"]
            self.models[base] = {
                "id": base,
                "canonical_slug": slug if slug != base and not variant else "",
                "name": re.sub(r"\s*\(free\)$", "", row["name"]),
                "created": row["created"],
                "context_length": row["context_length"],
                "input_modalities": modalities(left, INPUTS),
                "output_modalities": modalities(right, OUTPUTS),
                "tokenizer": row["tokenizer"] if row["tokenizer"] != "Other" else "",
                "hugging_face_id": row["hugging_face_id"],
                "aliases": [],
                "endpoints": [],
            }

    def add_endpoints(self):
        for row in self.tables["endpoints"]:
            model = self.models.get(row["model_slug"])
            provider = self.tag_of(row).split("/")[0]
            if model is None:
                continue
            alias = row["permaslug"]
            if alias.startswith("~"):  # the same endpoint seen through "~author/family-latest"
                if alias not in model["aliases"]:
                    model["aliases"].append(alias)
                continue
            self.add_endpoint(model, self.endpoint(row, model))
            self.aborts[provider].append(row["can_abort"] == "1")
            self.trains[provider].append(row["trains"] == "1")

    @staticmethod
    def tag_of(row):
        return TAG_SPELLING.get(row["provider_slug"], row["provider_slug"])

    def endpoint(self, row, model):
        context = int(row["context_length"])
        tag = self.tag_of(row)
        zero_retention = row["provider"].endswith("(ZDR)")
        if zero_retention and "zdr" not in tag:
            tag += "/zdr" if "/" not in tag else "-zdr"
        implicit = bool(row["price_cache_read"]) and not row["price_cache_write"]
        return {
            "tag": tag,
            "upstream_model": self.upstream_model(tag, model),
            "quantization": row["quantization"] if row["quantization"] != "unknown" else "",
            "price": {
                "prompt": price(row["price_prompt"]),
                "completion": price(row["price_completion"]),
                "cache_read": price(row["price_cache_read"]),
                "cache_write": price(row["price_cache_write"]),
            },
            "context_length": context if str(context) != model["context_length"] else None,
            "max_completion_tokens": clamp(row["max_completion"], context),
            "supports_implicit_caching": True if implicit else None,
            "zero_data_retention": True if zero_retention and row["trains"] != "1" else None,
            "supported_parameters": sorted(set(filter(None, row["supported_parameters"].split("|")))),
        }

    def upstream_model(self, tag, model):
        """As models.dev lists it, with the tag's tier ("turbo") where there is such a name; else by the provider's habit."""
        provider, _, tier = tag.partition("/")
        reach = REACH.get(provider, Reach())
        identity, hugging_face = model["id"], model["hugging_face_id"]
        if (provider, identity) in UPSTREAM_EXCEPTIONS:
            return UPSTREAM_EXCEPTIONS[provider, identity]
        lookups = [(identity, hugging_face)]
        if tier:
            lookups.insert(0, (f"{identity}-{tier}", f"{hugging_face}-{tier}"))
        for names in lookups:
            found = self.modelsdev.upstream(reach.modelsdev, *names) if reach.modelsdev else None
            if found is not None:
                return found
        return UPSTREAM_NAMES[reach.names](identity, hugging_face)

    def add_endpoint(self, model, endpoint):
        tags = {e["tag"] for e in model["endpoints"]}
        if endpoint["tag"] in tags:
            suffix = endpoint.get("quantization") or "2"
            joiner = "-" if "/" in endpoint["tag"] else "/"
            endpoint["tag"] += joiner + suffix
            if endpoint["tag"] in tags:
                return
        model["endpoints"].append(endpoint)
        self.used.add(endpoint["tag"].split("/")[0])

    def add_free_variants(self):
        for row in self.tables["models"]:
            base, _, variant = row["id"].partition(":")
            host = FREE_HOSTS.get(base.split("/")[0])
            if variant != "free" or host is None:
                continue
            model = self.models[base]
            context = int(row["context_length"])
            self.add_endpoint(model, {
                "tag": f"{host}/free",
                "upstream_model": base if host == "nvidia" else self.upstream_model(host, model),
                "free": True,
                "collects_data": True,
                "price": {"prompt": "0", "completion": "0"},
                "context_length": context if row["context_length"] != model["context_length"] else None,
                "max_completion_tokens": clamp(row["max_completion"], context),
                "supported_parameters": sorted(set(filter(None, row["supported_parameters"].split("|")))),
            })

    def add_offers(self, slug, name):
        """models.dev's offers of a host: endpoints of known models, and models of its own that the tables lack."""
        by_key = defaultdict(list)
        for model in self.models.values():
            for spelling in {model["id"], model["canonical_slug"], model["hugging_face_id"]} - {""}:
                by_key[key_of(spelling)].append(model)
        for row in self.modelsdev.offers[name]:
            if not (row["cost_input"] and row["cost_output"] and int(row["context"] or 0)) or not self.is_chat(row):
                continue
            known = by_key.get(key_of(row["model_id"])) or by_key.get(key_of(without_date(row["model_id"])))
            if known is None:
                model = self.new_model(slug, row)
                if model is None:
                    continue
                by_key[key_of(row["model_id"])].append(model)
            elif slug in REACH:
                continue  # the endpoint table has said what this host offers of the model
            else:
                model = known[0]
            self.add_offer(model, slug, row)

    @staticmethod
    def is_chat(row):
        return (
            "text" in row["modalities_in"].split("|")
            and row["modalities_out"] == "text"
            and not OTHER_JOBS.search(row["model_id"].lower())
        )

    def new_model(self, slug, row):
        author = FIRST_PARTY_AUTHORS.get(slug)
        if author is None:
            prefix, slash, _ = row["model_id"].lower().rpartition("/")
            author = AUTHOR_SPELLING.get(prefix, prefix)
            if not slash or "/" in prefix or not re.fullmatch(r"[a-z0-9.-]+", author):
                return None
        name = row["model_id"].lower().split("/")[-1]
        identity = f"{author}/{name}"
        moving = name.endswith("-latest")  # another model every few months: nothing a price can be stated of
        if moving or not re.fullmatch(r"[a-z0-9._/-]+", identity) or identity in self.models:
            return None
        self.models[identity] = {
            "id": identity,
            "canonical_slug": "",
            "name": row["name"],
            "created": seconds_of(row["release_date"]),
            "context_length": row["context"],
            "input_modalities": modalities(row["modalities_in"], INPUTS),
            "output_modalities": ["text"],
            "tokenizer": "",
            "hugging_face_id": "",
            "aliases": [],
            "endpoints": [],
        }
        return self.models[identity]

    def add_offer(self, model, slug, row):
        prices = offer_price(row)
        free = all(Decimal(p or 0) == 0 for p in prices.values())
        context = int(row["context"])
        tag = f"{slug}/free" if free else slug
        if any(e["tag"] == tag for e in model["endpoints"]):
            return
        self.add_endpoint(model, {
            "tag": tag,
            "upstream_model": row["model_id"],
            "free": True if free else None,
            "collects_data": True if free else None,
            "price": prices,
            "context_length": context if row["context"] != model["context_length"] else None,
            "max_completion_tokens": clamp(row["max_output"], context),
            "supported_parameters": offer_parameters(row),
        })

    # --- output ---

    def providers(self):
        facts = {row["slug"]: row for row in self.tables["providers"]}
        return [self.provider(slug, facts.get(slug, {})) for slug in sorted(self.used)]

    def provider(self, slug, facts):
        name = REACH[slug].modelsdev if slug in REACH else MODELSDEV_ONLY.get(slug)
        reach = REACH.get(slug, Reach())
        theirs = self.modelsdev.providers.get(name, {})
        base_url = (reach.base_url or theirs.get("api", "")).rstrip("/")
        if "${" in base_url:
            base_url = ""
        key = reach.key or theirs.get("env", "").split("|")[0]
        speaks = base_url and key
        aborts = self.aborts[slug]
        return {
            "slug": slug,
            "name": "Google Vertex" if slug == "google-vertex" else facts.get("name") or theirs.get("name") or slug,
            "base_url": base_url if speaks else "",
            "dialect": ("anthropic" if reach.anthropic else "openai") if speaks else "",
            "key": {"env": key} if speaks else "",
            "quirks": reach.quirks,
            "supports_cancellation": True if aborts and all(aborts) else None,
            # A host whose policy the tables do not state counts as one that collects.
            "collects_data": True if any(self.trains[slug]) or not self.trains[slug] else None,
            "headquarters": facts.get("headquarters", ""),
            "datacenters": [d for d in facts.get("datacenters", "").split("|") if d],
            "privacy_policy_url": facts.get("privacy_policy", ""),
            "terms_of_service_url": facts.get("terms", ""),
            "status_page_url": facts.get("status_page", ""),
        }



def seconds_of(date):
    try:
        moment = datetime.datetime.strptime((date + "-01-01")[:10], "%Y-%m-%d")
    except ValueError:
        return ""
    return str(int(moment.replace(tzinfo=datetime.timezone.utc).timestamp()))


def write(importer, sources, as_of, out):
    header = "# Made by import.py out of tables of public facts; see README.md. Do not edit: the next import writes it anew.\n"
    providers = ["sources:"] + [f"- {{name: {flow(source)}, as_of: {flow(as_of)}}}" for source in sources] + ["providers:"]
    providers += [block(members, "") for members in importer.providers()]
    (out / "providers.yaml").write_text(header + "\n".join(providers) + "\n", encoding="utf-8")

    folder = out / "models"
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.yaml"):
        stale.unlink()
    by_author = defaultdict(list)
    for identity, model in sorted(importer.models.items()):
        model["endpoints"].sort(key=lambda endpoint: endpoint["tag"])
        by_author[identity.split("/")[0]].append(model)
    for author, models in by_author.items():
        lines = ["models:"] + [block(model, "") for model in models]
        (folder / f"{author}.yaml").write_text(header + "\n".join(lines) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    for name in ("models", "endpoints", "providers", "modelsdev-providers", "modelsdev-catalog"):
        parser.add_argument(f"--{name}", required=True, metavar="FILE")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent)
    arguments = parser.parse_args()

    sources = []
    tables = {}
    for name in ("models", "endpoints", "providers", "modelsdev_providers", "modelsdev_catalog"):
        tables[name], source = read_table(getattr(arguments, name))
        if not source.startswith("as "):  # "as the other table"
            sources.append(source.split(";")[0])
    dates = re.findall(r"\d{4}-\d{2}-\d{2}", " ".join(sources))
    importer = Importer(tables, ModelsDev(tables["modelsdev_providers"], tables["modelsdev_catalog"]))
    importer.run()
    write(importer, sources, max(dates), arguments.out)
    endpoints = sum(len(model["endpoints"]) for model in importer.models.values())
    print(f"{len(importer.models)} models, {len(importer.used)} providers, {endpoints} endpoints", file=sys.stderr)


if __name__ == "__main__":
    main()
