// `signalbox explain MODEL`: the decision for a request, with every number behind it. In a cluster
// the running router is asked; otherwise it is made here, from the catalogue and provider keys of
// this machine and the scores last published.
#include <algorithm>
#include <iostream>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/catalogue/catalogue.h"
#include "common/config/secrets.h"
#include "common/host/host.h"
#include "common/json/writer.h"
#include "common/net/event_loop.h"
#include "common/redis/connection.h"
#include "common/rpc/channels.h"
#include "common/seam_grpc/router_decision_grpc.h"
#include "common/store/connect.h"
#include "common/store/score_store.h"
#include "services/ingress/core/request_view.h"
#include "services/provider-adapter/core/provider_directory.h"
#include "services/router-decision/core/policy_settings.h"
#include "services/router-decision/core/snapshot.h"
#include "services/router-decision/router.h"
#include "services/signalbox/await.h"
#include "services/signalbox/command.h"

namespace signalbox {
namespace {

constexpr char kUsage[] =
    R"(signalbox explain MODEL [MODEL…] [--tools] [--provider JSON] [--service-tier TIER] [--max-tokens N] [--seed N] [--config FILE]
  MODEL           as in a request, variants included: z-ai/glm-5:nitro
  --provider      the `provider` object of a request: '{"sort": "price", "preferred_min_throughput": {"p90": 50}}'
  --service-tier  flex, priority or default
  --seed          repeats the draw of an earlier explanation
)";

constexpr absl::Duration kScoresPatience = absl::Seconds(2);
constexpr absl::Duration kRouterPatience = absl::Seconds(5);

// The request the flags describe, read by the same code that reads clients' requests.
absl::StatusOr<router::v1::RequestFeatures> FeaturesOf(const Arguments& arguments) {
  json::Writer body;
  body.BeginObject().Key("models").BeginArray();
  for (const std::string& model : arguments.words) body.String(model);
  body.EndArray().Key("messages").Raw(R"([{"role":"user","content":""}])");
  if (arguments.Has("provider")) body.Key("provider").Raw(arguments.Get("provider"));
  if (arguments.Has("service-tier")) body.Key("service_tier").String(arguments.Get("service-tier"));
  if (arguments.Has("max-tokens")) body.Key("max_tokens").Raw(arguments.Get("max-tokens"));
  if (arguments.Has("tools"))
    body.Key("tools").Raw(R"([{"type":"function","function":{"name":"f"}}])");
  body.EndObject();
  ASSIGN_OR_RETURN(const ingress::RequestView view, ingress::ReadChatRequest(body.text(), {}));
  return view.features;
}

// nullptr when Redis is away or holds none: then the order is by price alone, and the output says
// so.
store::SnapshotPtr ReadScores(const config::v1::Config& config) {
  const absl::StatusOr<redis::Options> options =
      store::RedisOptions(config.redis(), store::Role::kScores, config::Environment::Process());
  if (!options.ok()) return nullptr;
  net::EventLoop loop("scores");
  redis::Connection connection(loop, *options);
  store::ScoreStore scores(connection, store::KeysOf(config.redis()));
  for (const absl::Time end = absl::Now() + kScoresPatience; absl::Now() < end;
       absl::SleepFor(absl::Milliseconds(20))) {
    const auto stored = AwaitOn<absl::StatusOr<std::optional<store::ScoreStore::Stored>>>(
        loop, [&](auto done) { scores.Read(done); });
    if (stored.ok()) return stored->has_value() ? (*stored)->snapshot : nullptr;
  }
  return nullptr;
}

std::string Number(double value, int decimals) {
  return value < 0 ? "-" : absl::StrFormat("%.*f", decimals, value);
}

void Print(const router::v1::DecideResponse& decision) {
  std::cout << "strategy " << decision.strategy() << ", scores ";
  if (decision.snapshot_version() == 0) {
    std::cout << "none published yet\n\n";
  } else {
    std::cout << "version " << decision.snapshot_version() << ", "
              << decision.snapshot_age_ms() / 1000.0 << " s old\n\n";
  }
  size_t width = 8;
  for (const auto& candidate : decision.candidates())
    width = std::max(width, candidate.endpoint_id().size());
  std::cout << absl::StrFormat("%-*s  %6s  %-17s  %12s  %7s  %8s  %8s  %s\n",
                               static_cast<int>(width), "endpoint", "share", "tier", "avail. 5 min",
                               "tools", "tokens/s", "TTFT ms", "why");
  for (const auto& candidate : decision.candidates()) {
    const router::v1::Score& score = candidate.score();
    std::cout << absl::StrFormat(
        "%-*s  %5.1f%%  %-17s  %12s  %7s  %8s  %8s  %s\n", static_cast<int>(width),
        candidate.endpoint_id(), 100 * score.share(), score.tier(), Number(score.availability(), 4),
        Number(score.tool_success(), 4),
        Number(score.throughput_tps() > 0 ? score.throughput_tps() : -1, 1),
        Number(score.ttft_ms() > 0 ? score.ttft_ms() : -1, 0), score.reason());
  }
  if (decision.excluded().empty()) return;
  std::cout << "\nexcluded\n";
  for (const auto& excluded : decision.excluded()) {
    std::cout << "  " << excluded.endpoint_id() << "  " << excluded.filter() << ": "
              << excluded.detail() << "\n";
  }
}

using Explained = absl::StatusOr<router::v1::ExplainResponse>;

Explained AskRouter(const config::v1::Config& config, const router::v1::ExplainRequest& request) {
  ASSIGN_OR_RETURN(rpc::Credentials credentials, host::CredentialsOf(config.host()));
  rpc::Channels channels(std::move(credentials));
  net::EventLoop loop("explain");
  seam_grpc::RouterDecisionClient router(
      channels.To(config.ingress().router_address(), rpc::Channels::Kind::kUnary));
  return AwaitOn<Explained>(
      loop, [&](auto done) { router.Explain(request, kRouterPatience, loop, done); });
}

Explained ExplainHere(const config::v1::Config& config, const router::v1::ExplainRequest& request) {
  ASSIGN_OR_RETURN(const auto catalogue, catalogue::Catalogue::Load({config.catalogue().begin(),
                                                                     config.catalogue().end()}));
  const config::FolderEnvironment environment(config.host().secrets_dir(),
                                              config::Environment::Process());
  config::SecretResolver secrets(environment);
  provider_adapter::ProviderDirectory directory(secrets);
  directory.Update(catalogue);
  absl::flat_hash_set<std::string> active;
  for (size_t i = 0; i < catalogue->providers().size(); ++i) {
    if (directory.Get()->providers[i].active) active.insert(catalogue->providers()[i]->slug());
  }

  router_decision::SnapshotHolder snapshots;
  snapshots.SetCatalogue(catalogue);
  snapshots.SetActiveProviders(active);
  ASSIGN_OR_RETURN(const router_decision::PolicySettings policy,
                   router_decision::ToPolicySettings(config.router().policy()));
  snapshots.SetPolicy(policy);
  if (const store::SnapshotPtr scores = ReadScores(config)) snapshots.SetScores(scores);
  router_decision::Router router(snapshots, Clock::Real(),
                                 static_cast<uint64_t>(absl::GetCurrentTimeNanos()), {});
  return router.ExplainNow(request);
}

absl::Status Run(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const config::v1::Config config, LoadConfiguration(arguments.Get("config")));
  router::v1::ExplainRequest request;
  ASSIGN_OR_RETURN(*request.mutable_features(), FeaturesOf(arguments));
  uint64_t seed = 0;
  if (arguments.Has("seed") && !absl::SimpleAtoi(arguments.Get("seed"), &seed)) {
    return absl::InvalidArgumentError("--seed: expected a number");
  }
  request.set_seed(seed);
  const bool cluster = !config.ingress().router_address().empty();
  ASSIGN_OR_RETURN(const router::v1::ExplainResponse response,
                   cluster ? AskRouter(config, request) : ExplainHere(config, request));
  Print(response.decision());
  return absl::OkStatus();
}

}  // namespace

int ExplainCommand(absl::Span<const absl::string_view> arguments) {
  const absl::StatusOr<Arguments> parsed = ParseArguments(
      arguments, {"config", "provider", "service-tier", "max-tokens", "seed"}, {"tools", "help"});
  if (!parsed.ok()) return Fail("explain", parsed.status());
  if (parsed->Has("help") || parsed->words.empty()) {
    std::cout << kUsage;
    return parsed->Has("help") ? kOk : kBadUsage;
  }
  const absl::Status ran = Run(*parsed);
  return ran.ok() ? kOk : Fail("explain", ran);
}

}  // namespace signalbox
