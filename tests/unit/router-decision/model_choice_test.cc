#include "services/router-decision/core/model_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/seam/error_detail.h"
#include "tests/unit/router-decision/world.h"

namespace signalbox::router_decision {
namespace {

using router::v1::ProviderPreferences;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const catalogue::Catalogue& Models() {
  static const auto catalogue = CatalogueOf(R"(
models:
- {id: z-ai/glm-5, aliases: ["~z-ai/glm-latest"]}
- {id: z-ai/glm-5.1}
- {id: z-ai/glm-4.7}
- {id: openai/gpt-4o-mini}
- {id: openai/gpt-4o}
)");
  return *catalogue;
}

absl::StatusOr<ModelChoices> Choose(std::initializer_list<const char*> names) {
  return ChooseModels(Models(), Request(names));
}

common::v1::ErrorDetail ErrorOf(std::initializer_list<const char*> names) {
  const absl::StatusOr<ModelChoices> choices = Choose(names);
  EXPECT_FALSE(choices.ok());
  return choices.ok() ? common::v1::ErrorDetail() : seam::DetailOf(choices.status());
}

TEST(ChooseModels, FindsAliases) {
  const auto choices = Choose({"~z-ai/glm-latest"});
  ASSERT_TRUE(choices.ok());
  EXPECT_EQ((*choices)[0].model->id(), "z-ai/glm-5");
}

TEST(ChooseModels, ReadsVariantsAndTheLastSortWins) {
  const auto choices = Choose({"z-ai/glm-5:nitro:free:floor"});
  ASSERT_TRUE(choices.ok());
  EXPECT_TRUE((*choices)[0].free);
  EXPECT_EQ((*choices)[0].sort, ProviderPreferences::SORT_PRICE);
}

TEST(ChooseModels, FloorAdmitsFlexAndNitroPriorityEndpoints) {
  const auto admits = [](const char* name) {
    const ModelChoice choice = (*Choose({name}))[0];
    return std::pair(choice.admits_flex, choice.admits_priority);
  };
  EXPECT_EQ(admits("z-ai/glm-5"), std::pair(false, false));
  EXPECT_EQ(admits("z-ai/glm-5:floor"), std::pair(true, false));
  EXPECT_EQ(admits("z-ai/glm-5:nitro"), std::pair(false, true));
  EXPECT_EQ(admits("z-ai/glm-5:exacto"), std::pair(false, false));
  EXPECT_EQ(admits("z-ai/glm-5:nitro:floor"), std::pair(true, false));
}

TEST(ChooseModels, AVariantWinsOverTheRequestsSort) {
  router::v1::RequestFeatures features = Request({"z-ai/glm-5:nitro", "z-ai/glm-4.7"});
  features.mutable_provider()->set_sort(ProviderPreferences::SORT_LATENCY);
  const auto choices = ChooseModels(Models(), features);
  ASSERT_TRUE(choices.ok());
  EXPECT_EQ((*choices)[0].sort, ProviderPreferences::SORT_THROUGHPUT);
  EXPECT_EQ((*choices)[1].sort, ProviderPreferences::SORT_LATENCY);
}

TEST(ChooseModels, SkipsWhatCannotBeServedWhileSomethingElseCan) {
  const auto choices = Choose({"no/such", "openrouter/auto", "z-ai/glm-5:turbo", "z-ai/glm-4.7"});
  ASSERT_TRUE(choices.ok());
  ASSERT_EQ(choices->size(), 1u);
  EXPECT_EQ((*choices)[0].model->id(), "z-ai/glm-4.7");
  EXPECT_EQ((*choices)[0].model_index, 3);
}

TEST(ChooseModels, LeavesRepeatedNamesOutButKeepsTheFreeVariantApart) {
  const auto choices =
      Choose({"z-ai/glm-5:free", "z-ai/glm-5", "z-ai/glm-5:nitro", "~z-ai/glm-latest"});
  ASSERT_TRUE(choices.ok());
  ASSERT_EQ(choices->size(), 2u);
  EXPECT_EQ((*choices)[1].model_index, 1);
}

TEST(ChooseModels, TellsTheFirstError) {
  EXPECT_EQ(ErrorOf({"no/such", "openrouter/auto"}).reason(), common::v1::REASON_MODEL_NOT_FOUND);
  EXPECT_EQ(ErrorOf({"openrouter/auto", "no/such"}).reason(), common::v1::REASON_NOT_AVAILABLE);
  EXPECT_EQ(ErrorOf({}).reason(), common::v1::REASON_INVALID_REQUEST);
}

TEST(ChooseModels, RefusesWhatIsNotOfferedYet) {
  for (const char* name :
       {"z-ai/glm-5:auto", "z-ai/glm-5:online", "z-ai/glm-5:thinking", "z-ai/glm-5:extended",
        "z-ai/glm-5:batch", "auto", "openrouter/auto", "openrouter/free", "@preset/mine"}) {
    const common::v1::ErrorDetail error = ErrorOf({name});
    EXPECT_EQ(error.reason(), common::v1::REASON_NOT_AVAILABLE) << name;
    EXPECT_THAT(error.public_message(), HasSubstr(name));
  }
}

TEST(ChooseModels, NamesAnUnknownVariant) {
  for (const char* name : {"z-ai/glm-5:turbo", "z-ai/glm-5:", "z-ai/glm-5:nitro:turbo"}) {
    EXPECT_EQ(ErrorOf({name}).reason(), common::v1::REASON_MODEL_NOT_FOUND) << name;
  }
  EXPECT_THAT(ErrorOf({"z-ai/glm-5:turbo"}).public_message(),
              HasSubstr("there is no variant \":turbo\""));
}

TEST(ChooseModels, SuggestsSimilarModels) {
  EXPECT_THAT(ErrorOf({"zai/glm-5"}).public_message(), HasSubstr("similar: z-ai/glm-5"));
  EXPECT_EQ(ErrorOf({"zai/nothing-like-it"}).public_message(),
            "there is no model \"zai/nothing-like-it\"");
}

TEST(ChooseModels, EchoesOnlyTheStartOfAnAbsurdName) {
  const std::string absurd(1'000'000, 'x');
  EXPECT_LT(ErrorOf({absurd.c_str()}).public_message().size(), 300u);
}

TEST(SimilarModels, PreferTheRightSlugThenTheBeginningThenTypingErrors) {
  EXPECT_THAT(SimilarModels(Models(), "glm-5"), ElementsAre("z-ai/glm-5", "z-ai/glm-5.1"));
  EXPECT_THAT(SimilarModels(Models(), "z-ai/glm-4.8"), ElementsAre("z-ai/glm-4.7"));
  EXPECT_THAT(SimilarModels(Models(), "OpenAI/GPT-4o"),
              ElementsAre("openai/gpt-4o", "openai/gpt-4o-mini"));
  EXPECT_THAT(SimilarModels(Models(), "openai/gtp-4o-mini"), ElementsAre("openai/gpt-4o-mini"));
  EXPECT_THAT(SimilarModels(Models(), ""), IsEmpty());
  EXPECT_THAT(SimilarModels(Models(), "openai/"), IsEmpty());
}

}  // namespace
}  // namespace signalbox::router_decision
