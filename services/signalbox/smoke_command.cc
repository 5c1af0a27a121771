// `signalbox smoke`: one request the way a client makes it, as a test of a whole installation.
#include <iostream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/ids.h"
#include "common/base/status_macros.h"
#include "services/signalbox/benchmark/http_fetcher.h"
#include "services/signalbox/blocking_key_store.h"
#include "services/signalbox/command.h"

namespace signalbox {
namespace {

using json = nlohmann::json;

constexpr char kUsage[] = R"(signalbox smoke --config FILE [--url URL] [--model MODEL]
  --config FILE   where Redis is: a client key is made for the request and removed after it
  --url URL       the ingress; default http://127.0.0.1:8080
  --model MODEL   default demo/llama-70b, of the fleet of simulated providers
Exit code 0: an answer with text, usage and cost came.
)";

constexpr char kDefaultUrl[] = "http://127.0.0.1:8080";
constexpr char kDefaultModel[] = "demo/llama-70b";
constexpr absl::Duration kKeyLife = absl::Minutes(10);

// A key that is gone with the object, and on its own should this process be killed.
class TemporaryKey {
 public:
  static absl::StatusOr<std::unique_ptr<TemporaryKey>> Make(BlockingKeyStore& store) {
    auto key = std::unique_ptr<TemporaryKey>(new TemporaryKey(store));
    store::KeyRecord record;
    record.hash = key->hash_;
    record.name = "smoke";
    record.label = absl::StrCat(key->secret_.substr(0, 12), "...");
    record.created = absl::Now();
    record.expires = record.created + kKeyLife;
    RETURN_IF_ERROR(store.Put(record));
    return key;
  }
  ~TemporaryKey() { (void)store_.Remove(hash_); }
  const std::string& secret() const { return secret_; }

 private:
  explicit TemporaryKey(BlockingKeyStore& store)
      : store_(store), secret_(NewClientKey()), hash_(Sha256Hex(secret_)) {}
  BlockingKeyStore& store_;
  const std::string secret_;
  const std::string hash_;
};

absl::Status Judge(const benchmark::HttpAnswer& answer, absl::Duration taken) {
  const json body = json::parse(answer.body, nullptr, /*allow_exceptions=*/false);
  if (answer.status != 200 || !body.is_object())
    return absl::UnavailableError(absl::StrCat("HTTP ", answer.status, ": ", answer.body));
  const json text = body.value(json::json_pointer("/choices/0/message/content"), json());
  const json tokens = body.value(json::json_pointer("/usage/completion_tokens"), json());
  const json cost = body.value(json::json_pointer("/usage/cost"), json());
  if (!text.is_string() || text.get_ref<const std::string&>().empty() || !tokens.is_number() ||
      !cost.is_number())
    return absl::UnavailableError(absl::StrCat("no text, usage or cost in: ", answer.body));
  std::cout << "model     " << body.value("model", "?") << "\nprovider  "
            << body.value("provider", "?") << "\ntokens    " << tokens << "\ncost      " << cost
            << " USD\ntime      " << absl::FormatDuration(absl::Trunc(taken, absl::Milliseconds(1)))
            << "\n";
  return absl::OkStatus();
}

absl::Status Run(const Arguments& arguments) {
  if (!arguments.words.empty()) return absl::InvalidArgumentError(kUsage);
  ASSIGN_OR_RETURN(const config::v1::Config config, LoadConfiguration(arguments.Get("config")));
  ASSIGN_OR_RETURN(http::Origin server, http::ParseOrigin(arguments.Get("url", kDefaultUrl)));
  ASSIGN_OR_RETURN(const std::unique_ptr<BlockingKeyStore> store, BlockingKeyStore::Open(config));
  ASSIGN_OR_RETURN(const std::unique_ptr<TemporaryKey> key, TemporaryKey::Make(*store));
  benchmark::HttpFetcher fetcher(std::move(server), key->secret());
  const json body = {{"model", arguments.Get("model", kDefaultModel)},
                     {"max_tokens", 64},
                     {"messages", {{{"role", "user"}, {"content", "Say hello."}}}}};
  const absl::Time start = absl::Now();
  ASSIGN_OR_RETURN(const benchmark::HttpAnswer answer,
                   fetcher.Ask("POST", "/api/v1/chat/completions", body.dump()));
  return Judge(answer, absl::Now() - start);
}

}  // namespace

int SmokeCommand(absl::Span<const absl::string_view> arguments) {
  const absl::StatusOr<Arguments> parsed =
      ParseArguments(arguments, {"config", "url", "model"}, {"help"});
  if (!parsed.ok()) return Fail("smoke", parsed.status());
  if (parsed->Has("help")) {
    std::cout << kUsage;
    return kOk;
  }
  const absl::Status ran = Run(*parsed);
  return ran.ok() ? kOk : Fail("smoke", ran);
}

}  // namespace signalbox
