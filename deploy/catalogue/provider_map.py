"""Which provider of one public table is which of the other, and where it is reached.

The endpoint table says who serves what at what price; models.dev says how a provider is reached. They spell the
same company differently, so the pairing is written down here. A provider that neither table gives an address for, but
whose own documentation names an OpenAI-compatible one, has it here too.
"""

from typing import NamedTuple, Optional


class Reach(NamedTuple):
    """How a provider is reached. Empty base_url and no models.dev name: listed, never active."""

    modelsdev: Optional[str] = None  # its name at models.dev: address, key variable, model names
    base_url: str = ""               # from the provider's documentation; wins over models.dev
    key: str = ""                    # environment variable of the key; wins over models.dev
    anthropic: bool = False          # speaks Anthropic Messages instead of OpenAI chat completions
    names: str = "slug"              # how it names a model that models.dev does not list, see UPSTREAM_NAMES
    quirks: Optional[dict] = None    # members of config.v1.Quirks


# Model id, its Hugging Face id (may be empty) -> name at the provider.
UPSTREAM_NAMES = {
    "slug": lambda model, hugging_face: model.split("/")[-1],
    "id": lambda model, hugging_face: model,
    "hugging_face": lambda model, hugging_face: hugging_face or model.split("/")[-1],
    "dashes": lambda model, hugging_face: model.split("/")[-1].replace(".", "-"),
    "fireworks": lambda model, hugging_face: "accounts/fireworks/models/" + model.split("/")[-1].replace(".", "p"),
}
# Names that no habit yields.
UPSTREAM_EXCEPTIONS = {
    ("groq", "meta-llama/llama-3.1-8b-instruct"): "llama-3.1-8b-instant",
    ("groq", "meta-llama/llama-3.3-70b-instruct"): "llama-3.3-70b-versatile",
}


REACH = {
    "aion-labs": Reach(base_url="https://api.aionlabs.ai/v1", key="AIONLABS_API_KEY"),
    "alibaba": Reach("alibaba"),
    "ambient": Reach("ambient"),
    "anthropic": Reach("anthropic", "https://api.anthropic.com/v1", anthropic=True, names="dashes"),
    "atlas-cloud": Reach(base_url="https://api.atlascloud.ai/v1", key="ATLASCLOUD_API_KEY", names="hugging_face"),
    "baidu": Reach(base_url="https://qianfan.baidubce.com/v2", key="QIANFAN_API_KEY"),
    "baseten": Reach("baseten", names="hugging_face"),
    "cerebras": Reach("cerebras", "https://api.cerebras.ai/v1"),
    "chutes": Reach("chutes", names="hugging_face"),
    "cohere": Reach("cohere", "https://api.cohere.ai/compatibility/v1"),
    "coreweave": Reach("wandb", names="hugging_face"),
    "deepinfra": Reach("deepinfra", "https://api.deepinfra.com/v1/openai", names="hugging_face"),
    "deepseek": Reach("deepseek"),
    "digitalocean": Reach("digitalocean"),
    "fireworks": Reach("fireworks-ai", names="fireworks"),
    "friendli": Reach("friendli", names="hugging_face"),
    "gmicloud": Reach("gmicloud", names="hugging_face"),
    "google-ai-studio": Reach(
        "google", "https://generativelanguage.googleapis.com/v1beta/openai", key="GEMINI_API_KEY"
    ),
    "groq": Reach("groq", "https://api.groq.com/openai/v1"),
    "inception": Reach("inception"),
    "inceptron": Reach("inceptron", names="hugging_face"),
    "io-net": Reach("io-net", names="hugging_face"),
    "mancer": Reach(base_url="https://neuro.mancer.tech/oai/v1", key="MANCER_API_KEY"),
    "meta": Reach("llama"),
    "minimax": Reach("minimax", "https://api.minimax.io/v1"),
    "mistral": Reach(
        "mistral", "https://api.mistral.ai/v1", quirks={"no_stream_options": True, "rename_fields": {"seed": "random_seed"}}
    ),
    "moonshotai": Reach("moonshotai"),
    "morph": Reach("morph"),
    "nebius": Reach("nebius", names="hugging_face"),
    "novita": Reach("novita-ai", names="id"),
    "openai": Reach(
        "openai", "https://api.openai.com/v1", quirks={"rename_fields": {"max_tokens": "max_completion_tokens"}}
    ),
    "parasail": Reach(base_url="https://api.parasail.io/v1", key="PARASAIL_API_KEY", names="hugging_face"),
    "perplexity": Reach("perplexity", "https://api.perplexity.ai"),
    "poolside": Reach("poolside"),
    "reka": Reach(base_url="https://api.reka.ai/v1", key="REKA_API_KEY"),
    "sakana": Reach("sakana"),
    "sambanova": Reach(base_url="https://api.sambanova.ai/v1", key="SAMBANOVA_API_KEY"),
    "seed": Reach(base_url="https://ark.ap-southeast.bytepluses.com/api/v3", key="ARK_API_KEY"),
    "siliconflow": Reach("siliconflow", names="hugging_face"),
    "stepfun": Reach("stepfun"),
    "tencent": Reach("tencent-tokenhub"),
    "together": Reach("togetherai", "https://api.together.xyz/v1", names="hugging_face"),
    "upstage": Reach("upstage"),
    "venice": Reach("venice", "https://api.venice.ai/api/v1"),
    "wafer": Reach("wafer.ai"),
    "xai": Reach("xai", "https://api.x.ai/v1"),
    "xiaomi": Reach("xiaomi"),
    "z-ai": Reach("zai"),
}

# Hosts that only models.dev lists: slug here -> name there.
MODELSDEV_ONLY = {
    "amazon-nova": "nova",
    "berget": "berget",
    "clarifai": "clarifai",
    "evroc": "evroc",
    "hpc-ai": "hpc-ai",
    "lilac": "lilac",
    "mixlayer": "mixlayer",
    "neuralwatt": "neuralwatt",
    "nvidia": "nvidia",
    "ovhcloud": "ovhcloud",
    "regolo-ai": "regolo-ai",
    "sarvam": "sarvam",
    "scaleway": "scaleway",
    "stackit": "stackit",
    "synthetic": "synthetic",
    "tinfoil": "tinfoil",
    "vultr": "vultr",
}

# Authors whose own host offers models that the endpoint table lacks: provider -> author of the model id.
FIRST_PARTY_AUTHORS = {
    "alibaba": "qwen",
    "amazon-nova": "amazon",
    "anthropic": "anthropic",
    "cohere": "cohere",
    "google-ai-studio": "google",
    "inception": "inception",
    "minimax": "minimax",
    "mistral": "mistralai",
    "moonshotai": "moonshotai",
    "openai": "openai",
    "perplexity": "perplexity",
    "poolside": "poolside",
    "sarvam": "sarvamai",
    "stepfun": "stepfun",
    "upstage": "upstage",
    "xai": "x-ai",
    "xiaomi": "xiaomi",
    "z-ai": "z-ai",
}

# Free variants are listed as models without their host; these authors serve them themselves.
FREE_HOSTS = {"cohere": "cohere", "google": "google-ai-studio", "nvidia": "nvidia", "poolside": "poolside"}

# The endpoint table's spelling of a tag's first part, where it is not a provider's slug.
TAG_SPELLING = {"sambanova-turbo": "sambanova/turbo"}

# Authors as other hosts spell them -> as model ids here do.
AUTHOR_SPELLING = {
    "alibaba": "qwen",
    "meta": "meta-llama",
    "mistral": "mistralai",
    "xai": "x-ai",
    "zhipuai": "z-ai",
    "zai-org": "z-ai",
    "deepseek-ai": "deepseek",
    "minimaxai": "minimax",
}
