#include "services/router-decision/core/filters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "absl/strings/str_cat.h"
#include "tests/unit/router-decision/world.h"

namespace signalbox::router_decision {
namespace {

using router::v1::RequestFeatures;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr absl::string_view kYaml = R"(
providers:
- {slug: plain, name: Plain Ltd}
- {slug: trains, collects_data: true}
- {slug: keeps-nothing, zero_data_retention: true}
- {slug: off, disabled: true}
models:
- id: a/text
  context_length: 10000
  endpoints:
  - {tag: plain/fp8, quantization: fp8, price: {prompt: 0.000001, completion: 0.000004}, max_completion_tokens: 2000,
     supported_parameters: [max_tokens, temperature, tools, tool_choice]}
  - {tag: plain/mxfp4, quantization: mxfp4, price: {prompt: 0.000002, completion: 0.000002, request: 0.01, image: 0.02},
     context_length: 4000, supported_parameters: [max_tokens, temperature, reasoning, response_format]}
  - {tag: trains, quantization: bf16, price: {prompt: 0.000003, completion: 0.000009}, max_prompt_tokens: 6000}
  - {tag: keeps-nothing, price: {prompt: 0.000003, completion: 0.000009}}
  - {tag: keeps-nothing/free, free: true, price: {}}
  - {tag: off}
  - {tag: plain/off, disabled: true}
- id: a/vision
  input_modalities: [text, image]
  endpoints: [{tag: plain}]
)";

using Edit = std::function<void(RequestFeatures&)>;

struct Case {
  const char* name;
  Edit edit;
  std::vector<std::string> left;            // tags
  std::map<std::string, std::string> gone;  // tag -> filter, beside those that are always gone
  const char* detail = "";                  // in the detail of one of the excluded
};

class Filters : public ::testing::TestWithParam<Case> {};

TEST_P(Filters, LeaveAndExcludeWhatTheTableSays) {
  World world(kYaml);
  RequestFeatures features = Request({"a/text"});
  GetParam().edit(features);
  const router::v1::DecideResponse response = world.Explain(features);
  EXPECT_THAT(Tags(response), ::testing::UnorderedElementsAreArray(GetParam().left));

  std::map<std::string, std::string> gone;
  std::string details;
  for (const router::v1::Exclusion& excluded : response.excluded()) {
    EXPECT_FALSE(excluded.detail().empty());
    EXPECT_EQ(excluded.model(), "a/text");
    gone[excluded.endpoint_id().substr(excluded.endpoint_id().find('@') + 1)] = excluded.filter();
    absl::StrAppend(&details, excluded.detail(), "\n");
  }
  std::map<std::string, std::string> expected = {
      {"keeps-nothing/free", "variant"}, {"off", "disabled"}, {"plain/off", "disabled"}};
  expected.insert(GetParam().gone.begin(), GetParam().gone.end());
  EXPECT_EQ(gone, expected);
  EXPECT_THAT(details, HasSubstr(GetParam().detail));
}

router::v1::ProviderPreferences& Of(RequestFeatures& features) {
  return *features.mutable_provider();
}

INSTANTIATE_TEST_SUITE_P(
    Table, Filters,
    ::testing::Values(
        Case{"nothing", [](RequestFeatures&) {}, {"plain/fp8", "plain/mxfp4", "trains", "keeps-nothing"}, {}},
        Case{"only_base_slug", [](RequestFeatures& f) { Of(f).add_only("plain"); }, {"plain/fp8", "plain/mxfp4"},
             {{"trains", "only"}, {"keeps-nothing", "only"}}, "trains is not in provider.only [plain]"},
        Case{"only_tag", [](RequestFeatures& f) { Of(f).add_only("plain/fp8"); }, {"plain/fp8"},
             {{"plain/mxfp4", "only"}, {"trains", "only"}, {"keeps-nothing", "only"}}},
        Case{"only_display_name", [](RequestFeatures& f) { Of(f).add_only("plain ltd"); }, {"plain/fp8", "plain/mxfp4"},
             {{"trains", "only"}, {"keeps-nothing", "only"}}},
        Case{"only_unknown", [](RequestFeatures& f) { Of(f).add_only("nobody"); }, {},
             {{"plain/fp8", "only"}, {"plain/mxfp4", "only"}, {"trains", "only"}, {"keeps-nothing", "only"}}},
        Case{"ignore", [](RequestFeatures& f) { Of(f).add_ignore("PLAIN"); }, {"trains", "keeps-nothing"},
             {{"plain/fp8", "ignore"}, {"plain/mxfp4", "ignore"}}, "plain/fp8 is in provider.ignore [PLAIN]"},
        Case{"only_and_ignore", [](RequestFeatures& f) { Of(f).add_only("plain"); Of(f).add_ignore("plain/fp8"); },
             {"plain/mxfp4"}, {{"plain/fp8", "ignore"}, {"trains", "only"}, {"keeps-nothing", "only"}}},
        Case{"data_collection", [](RequestFeatures& f) { Of(f).set_deny_data_collection(true); },
             {"plain/fp8", "plain/mxfp4", "keeps-nothing"}, {{"trains", "data_collection"}}, "data_collection is deny"},
        Case{"zdr", [](RequestFeatures& f) { Of(f).set_zdr(true); }, {"keeps-nothing"},
             {{"plain/fp8", "zdr"}, {"plain/mxfp4", "zdr"}, {"trains", "zdr"}}},
        Case{"distillable", [](RequestFeatures& f) { Of(f).set_enforce_distillable_text(true); }, {},
             {{"plain/fp8", "distillable"}, {"plain/mxfp4", "distillable"}, {"trains", "distillable"},
              {"keeps-nothing", "distillable"}},
             "the licence of a/text is not known to allow distillation; enforce_distillable_text is true"},
        Case{"fp4_covers_mxfp4", [](RequestFeatures& f) { Of(f).add_quantizations("fp4"); }, {"plain/mxfp4"},
             {{"plain/fp8", "quantizations"}, {"trains", "quantizations"}, {"keeps-nothing", "quantizations"}},
             "quantization bf16 is not in [fp4]"},
        Case{"unknown_quantization", [](RequestFeatures& f) { Of(f).add_quantizations("unknown"); }, {"keeps-nothing"},
             {{"plain/fp8", "quantizations"}, {"plain/mxfp4", "quantizations"}, {"trains", "quantizations"}}},
        Case{"mxfp4_is_not_fp4_alone", [](RequestFeatures& f) { Of(f).add_quantizations("nvfp4"); }, {},
             {{"plain/fp8", "quantizations"}, {"plain/mxfp4", "quantizations"}, {"trains", "quantizations"},
              {"keeps-nothing", "quantizations"}}},
        Case{"modality", [](RequestFeatures& f) { f.add_input_modalities("image"); }, {},
             {{"plain/fp8", "input_modalities"}, {"plain/mxfp4", "input_modalities"}, {"trains", "input_modalities"},
              {"keeps-nothing", "input_modalities"}}, "the model takes no image input, only [text]"},
        Case{"tools_always_filter", [](RequestFeatures& f) { f.set_request_class(common::v1::REQUEST_CLASS_TOOLS); },
             {"plain/fp8", "trains", "keeps-nothing"}, {{"plain/mxfp4", "parameters"}}, "does not support tools"},
        Case{"other_parameters_do_not", [](RequestFeatures& f) { f.add_parameters("seed"); },
             {"plain/fp8", "plain/mxfp4", "trains", "keeps-nothing"}, {}},
        Case{"required_parameters", [](RequestFeatures& f) { Of(f).set_require_parameters(true); f.add_parameters("seed"); },
             {"trains", "keeps-nothing"}, {{"plain/fp8", "parameters"}, {"plain/mxfp4", "parameters"}},
             "does not support seed"},
        Case{"required_by_another_name",
             [](RequestFeatures& f) {
               Of(f).set_require_parameters(true);
               f.add_parameters("max_completion_tokens");
               f.add_parameters("reasoning_effort");
             },
             {"plain/mxfp4", "trains", "keeps-nothing"}, {{"plain/fp8", "parameters"}}},
        Case{"context_of_the_endpoint", [](RequestFeatures& f) { f.set_prompt_tokens(3500); f.set_max_tokens(501); },
             {"plain/fp8", "trains", "keeps-nothing"}, {{"plain/mxfp4", "context_length"}},
             "context_length 4000 < 4001 needed (prompt 3500, max_tokens 501)"},
        Case{"context_exactly_full", [](RequestFeatures& f) { f.set_prompt_tokens(3500); f.set_max_tokens(500); },
             {"plain/fp8", "plain/mxfp4", "trains", "keeps-nothing"}, {}},
        Case{"no_room_for_an_answer", [](RequestFeatures& f) { f.set_prompt_tokens(4000); },
             {"plain/fp8", "trains", "keeps-nothing"}, {{"plain/mxfp4", "context_length"}}},
        Case{"longest_prompt", [](RequestFeatures& f) { f.set_prompt_tokens(6001); }, {"plain/fp8", "keeps-nothing"},
             {{"plain/mxfp4", "context_length"}, {"trains", "context_length"}}, "max_prompt_tokens 6000 < 6001 needed"},
        Case{"max_tokens", [](RequestFeatures& f) { f.set_max_tokens(2001); }, {"plain/mxfp4", "trains", "keeps-nothing"},
             {{"plain/fp8", "max_tokens"}}, "max_completion_tokens 2000 < 2001 requested"},
        Case{"max_prompt_price", [](RequestFeatures& f) { Of(f).set_max_prompt_pico(2'000'000); },
             {"plain/fp8", "plain/mxfp4"}, {{"trains", "max_price"}, {"keeps-nothing", "max_price"}},
             "prompt price 0.000003 > 0.000002"},
        Case{"max_completion_price", [](RequestFeatures& f) { Of(f).set_max_completion_pico(2'000'000); },
             {"plain/mxfp4"}, {{"plain/fp8", "max_price"}, {"trains", "max_price"}, {"keeps-nothing", "max_price"}}},
        Case{"max_request_and_image_price",
             [](RequestFeatures& f) { Of(f).set_max_request_pico(0); Of(f).set_max_image_pico(0); },
             {"plain/fp8", "trains", "keeps-nothing"}, {{"plain/mxfp4", "max_price"}}, "request price 0.01 > 0"},
        Case{"order_without_fallbacks",
             [](RequestFeatures& f) { Of(f).add_order("trains"); Of(f).set_allow_fallbacks(false); }, {"trains"},
             {{"plain/fp8", "order"}, {"plain/mxfp4", "order"}, {"keeps-nothing", "order"}},
             "plain/fp8 is not in provider.order [trains]; allow_fallbacks is false"},
        Case{"order_with_fallbacks", [](RequestFeatures& f) { Of(f).add_order("trains"); },
             {"plain/fp8", "plain/mxfp4", "trains", "keeps-nothing"}, {}}),
    [](const ::testing::TestParamInfo<Case>& test) { return test.param.name; });

TEST(FreeVariant, AdmitsFreeEndpointsAndNoOthers) {
  World world(kYaml);
  const router::v1::DecideResponse response = world.Explain(Request({"a/text:free"}));
  EXPECT_THAT(Tags(response), ElementsAre("keeps-nothing/free"));
  EXPECT_EQ(response.excluded_size(), 6);
  EXPECT_THAT(response.excluded(0).detail(), HasSubstr("not a free endpoint"));
}

TEST(Distillable, ModelsPassWhereDistillationIsAskedFor) {
  World world(R"(
providers: [{slug: one}]
models:
- {id: a/open, distillable: true, endpoints: [{tag: one}]}
- {id: a/closed, endpoints: [{tag: one}]}
)");
  RequestFeatures features = Request({"a/closed", "a/open"});
  features.mutable_provider()->set_enforce_distillable_text(true);
  const router::v1::DecideResponse response = world.Decide(features);
  ASSERT_EQ(response.candidates_size(), 1);
  EXPECT_EQ(response.candidates(0).model(), "a/open");
}

TEST(Modalities, OfTheModelAreEnough) {
  World world(kYaml);
  RequestFeatures features = Request({"a/vision"});
  features.add_input_modalities("image");
  EXPECT_THAT(Tags(world.Decide(features)), ElementsAre("plain"));
}

TEST(InactiveProviders, AreExcludedWithTheirName) {
  World world(kYaml);
  world.holder.SetActiveProviders({"trains"});
  const router::v1::DecideResponse response = world.Explain(Request({"a/text"}));
  EXPECT_THAT(Tags(response), ElementsAre("trains"));
  EXPECT_EQ(response.excluded(0).filter(), "provider_inactive");
  EXPECT_THAT(response.excluded(0).detail(), HasSubstr("Plain Ltd"));
}

TEST(Decide, ListsExclusionsOnlyWhenNothingIsLeft) {
  World world(kYaml);
  EXPECT_THAT(world.Decide(Request({"a/text"})).excluded(), IsEmpty());
  RequestFeatures features = Request({"a/text"});
  features.mutable_provider()->add_only("nobody");
  EXPECT_EQ(world.Decide(features).excluded_size(), 7);
}

TEST(Quantizations, AreCoveredAsDocumented) {
  EXPECT_EQ(QuantizationsCoveredBy("fp8"), QuantizationBit("fp8") | QuantizationBit("mxfp8"));
  EXPECT_EQ(QuantizationsCoveredBy("bf16"), QuantizationBit("bf16"));
  EXPECT_EQ(QuantizationsCoveredBy("nonsense"), 0u);
}

TEST(FilterNames, AreDistinct) {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(Filter::kAllowFallbacks); ++i) {
    EXPECT_TRUE(names.insert(std::string(FilterName(static_cast<Filter>(i)))).second);
  }
}

}  // namespace
}  // namespace signalbox::router_decision
