#include "services/provider-adapter/core/schema_check.h"

#include <exception>
#include <new>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "re2/re2.h"
#include "services/provider-adapter/core/schema_flatten.h"
#include "valijson/adapters/nlohmann_json_adapter.hpp"
#include "valijson/constraints/concrete_constraints.hpp"
#include "valijson/schema.hpp"
#include "valijson/schema_parser.hpp"
#include "valijson/validation_results.hpp"
#include "valijson/validator.hpp"

namespace signalbox::provider_adapter {
namespace {

using nlohmann::json;
using Adapter = valijson::adapters::Adapter;
using Context = std::vector<std::string>;

// Looks at (subschema, value) pairs, each well below 1 µs: bounds one check to about 10 ms.
constexpr int64_t kWorkLimit = 20'000;
// Subschemas times levels of the value that may lie on the stack at once, about 2 KB each.
constexpr int kStackLimit = 512;
constexpr int64_t kPatternMemory = 64 * 1024;
constexpr size_t kMaxNameBytes = 64;
constexpr size_t kMaxPointerBytes = 256;

// Work left in the check that runs on this thread.
thread_local int64_t work_left = 0;

void Charge(int64_t work) {
  work_left -= work;
  if (work_left < 0) valijson::throwRuntimeError("work limit reached");
}

// Constraints of our own: made by a builder from the keyword's value, cloned into the schema by the
// library.
template <typename Derived>
class OwnConstraint : public valijson::constraints::PolyConstraint {
 private:
  Constraint* cloneInto(void* memory) const override {
    return new (memory) Derived(static_cast<const Derived&>(*this));
  }
  size_t sizeOf() const override { return sizeof(Derived); }
};

class CostConstraint final : public OwnConstraint<CostConstraint> {
 public:
  // Negative: the items must be unique.
  explicit CostConstraint(int64_t cost) : cost_(std::abs(cost)), unique_(cost < 0) {}

  bool validate(const Adapter& target, const Context& context,
                valijson::ValidationResults* results) const override {
    Charge(cost_);
    if (target.isObject()) Charge(static_cast<int64_t>(target.getObjectSize()));
    if (!target.isArray()) return true;
    const int64_t size = static_cast<int64_t>(target.getArraySize());
    Charge(size);
    if (!unique_) return true;
    Charge(size * size / 4);
    if (AllDifferent(target)) return true;
    if (results != nullptr) results->pushError(context, "uniqueItems");
    return false;
  }

 private:
  static bool AllDifferent(const Adapter& array) {
    size_t outer = 0;
    return array.applyToArray([&](const Adapter& one) {
      const size_t stop = outer++;
      size_t inner = 0;
      // Compares with those before it; false ends the walk.
      bool differs = true;
      array.applyToArray([&](const Adapter& other) {
        if (inner++ == stop) return false;
        differs = !one.equalTo(other, true);
        return differs;
      });
      return differs;
    });
  }

  const int64_t cost_;
  const bool unique_;
};

class PatternConstraint final : public OwnConstraint<PatternConstraint> {
 public:
  explicit PatternConstraint(std::shared_ptr<const re2::RE2> pattern)
      : pattern_(std::move(pattern)) {}

  bool validate(const Adapter& target, const Context& context,
                valijson::ValidationResults* results) const override {
    if (!pattern_->ok() || !target.isString()) return true;
    const std::string text = target.getString();
    Charge(1 + static_cast<int64_t>(text.size() / 64));
    if (re2::RE2::PartialMatch(text, *pattern_)) return true;
    if (results != nullptr) results->pushError(context, "pattern");
    return false;
  }

 private:
  const std::shared_ptr<const re2::RE2> pattern_;
};

class CostBuilder final : public valijson::ConstraintBuilder {
 public:
  valijson::constraints::Constraint* make(const Adapter& value) const override {
    return new CostConstraint(value.asInteger());
  }
};

// RE2 runs in linear time. What it does not know (look-around, back references) accepts everything.
class PatternBuilder final : public valijson::ConstraintBuilder {
 public:
  valijson::constraints::Constraint* make(const Adapter& value) const override {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kPatternMemory);
    return new PatternConstraint(std::make_shared<const re2::RE2>(value.asString(), options));
  }
};

// The library's sentences -> the keyword that failed. Only the beginning is fixed, and only names
// of members are kept.
struct Sentence {
  absl::string_view beginning;
  absl::string_view keyword;
  bool keep_quoted = false;
};
constexpr Sentence kSentences[] = {
    {"Missing required property", "required member", true},
    {"Object contains a property", "additionalProperties: unexpected member", true},
    {"Missing dependency", "dependencies: member", true},
    {"Value type not permitted", "type"},
    {"Failed to match against any enum", "enum"},
    {"Failed to match expected value", "const"},
    {"Expected number less than or", "maximum"},
    {"Expected number less than", "exclusiveMaximum"},
    {"Expected number greater than or", "minimum"},
    {"Expected number greater than", "exclusiveMinimum"},
    {"Array should contain no more", "maxItems"},
    {"Array should contain no fewer", "minItems"},
    {"Array contains more items", "additionalItems"},
    {"Cannot validate item", "additionalItems"},
    {"String should be no more", "maxLength"},
    {"String should be no fewer", "minLength"},
    {"Object should have no more", "maxProperties"},
    {"Object should have no fewer", "minProperties"},
    {"Value should be a multiple", "multipleOf"},
    {"Value could not be converted", "multipleOf"},
    {"Failed to validate against any schemas allowed by anyOf", "anyOf"},
    {"Failed to validate against any child", "oneOf"},
    {"Failed to validate against exactly one", "oneOf"},
    {"Failed to validate against a conditional", "if"},
    {"Failed to validate against dependent", "dependencies"},
    {"Failed to any values", "contains"},
    {"Target should not validate", "not"},
    {"uniqueItems", "uniqueItems"},
    {"pattern", "pattern"},
};

std::string Printable(absl::string_view text) {
  std::string out;
  for (char c : text.substr(0, kMaxNameBytes)) out += (c >= 0x20 && c < 0x7f && c != '"') ? c : '?';
  return out;
}

// "… 'city'." -> "city"
absl::string_view Quoted(absl::string_view sentence) {
  const size_t first = sentence.find(": '") != absl::string_view::npos ? sentence.find(": '") + 2
                                                                       : sentence.find('\'');
  const size_t last = sentence.rfind('\'');
  if (first == absl::string_view::npos || last <= first) return {};
  return sentence.substr(first + 1, last - first - 1);
}

std::string KeywordOf(absl::string_view sentence) {
  for (const Sentence& known : kSentences) {
    if (!absl::StartsWith(sentence, known.beginning)) continue;
    if (!known.keep_quoted) return std::string(known.keyword);
    return absl::StrCat(known.keyword, " \"", Printable(Quoted(sentence)), "\"");
  }
  return "schema";
}

// {"<root>", "[filter]", "[0]"} -> "/filter/0"
std::string PointerOf(const Context& context) {
  std::string pointer;
  for (size_t i = 1; i < context.size() && pointer.size() < kMaxPointerBytes; ++i) {
    absl::string_view token = context[i];
    if (token.size() >= 2) token = token.substr(1, token.size() - 2);
    absl::StrAppend(&pointer, "/",
                    absl::StrReplaceAll(Printable(token), {{"~", "~0"}, {"/", "~1"}}));
  }
  return pointer;
}

}  // namespace

class CompiledSchema::Body {
 public:
  explicit Body(int in_place_depth) : in_place_depth_(in_place_depth) {}

  void Populate(const json& document) {
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.addConstraintBuilder(kCostKey, new CostBuilder);
    parser.addConstraintBuilder(kPatternKey, new PatternBuilder);
    parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(document), schema_);
  }

  // False also when the work limit is hit: then *out_of_work.
  bool Validate(const json& value, valijson::ValidationResults* results, bool* out_of_work) const {
    work_left = kWorkLimit;
    try {
      valijson::Validator validator;
      return validator.validate(schema_, valijson::adapters::NlohmannJsonAdapter(value), results);
    } catch (const std::exception&) {
      *out_of_work = true;
      return false;
    }
  }

  int in_place_depth() const { return in_place_depth_; }

 private:
  const int in_place_depth_;
  valijson::Schema schema_;
};

CompiledSchema::CompiledSchema(std::unique_ptr<Body> body) : body_(std::move(body)) {}
CompiledSchema::~CompiledSchema() = default;

std::unique_ptr<const CompiledSchema> CompiledSchema::Compile(absl::string_view schema_json) {
  // The same nesting bound as for values: copying and comparing JSON values recurses.
  if (schema_json.size() > kMaxSchemaBytes || NestsDeeperThan(schema_json, 2 * kMaxValueDepth))
    return nullptr;
  const json schema = json::parse(schema_json.begin(), schema_json.end(), nullptr, false);
  if (schema.is_discarded()) return nullptr;
  const absl::StatusOr<FlatSchema> flat = FlattenSchema(schema);
  if (!flat.ok()) return nullptr;
  auto body = std::make_unique<Body>(flat->in_place_depth);
  try {
    body->Populate(flat->document);
  } catch (const std::exception&) {
    return nullptr;
  }
  return std::unique_ptr<const CompiledSchema>(new CompiledSchema(std::move(body)));
}

absl::optional<CompiledSchema::Fault> CompiledSchema::Check(const json& value,
                                                            int value_depth) const {
  // One level more for our own keywords.
  if ((body_->in_place_depth() + 1) * (value_depth + 1) > kStackLimit) return absl::nullopt;
  bool out_of_work = false;
  if (body_->Validate(value, nullptr, &out_of_work) || out_of_work) return absl::nullopt;
  valijson::ValidationResults results;
  body_->Validate(value, &results, &out_of_work);
  Fault fault{"", "schema"};
  valijson::ValidationResults::Error error;
  if (results.popError(error)) fault = {PointerOf(error.context), KeywordOf(error.description)};
  return fault;
}

}  // namespace signalbox::provider_adapter
