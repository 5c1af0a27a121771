#include "common/pricing/cost.h"

#include <cstdint>
#include <limits>
#include <string>

#include "gtest/gtest.h"

namespace signalbox::pricing {
namespace {

using common::v1::Pricing;
using common::v1::Usage;

Pricing Prices(int64_t prompt, int64_t completion, int64_t cache_read, int64_t cache_write,
               int64_t request = 0, int64_t image = 0) {
  Pricing pricing;
  pricing.set_prompt_pico(prompt);
  pricing.set_completion_pico(completion);
  pricing.set_cache_read_pico(cache_read);
  pricing.set_cache_write_pico(cache_write);
  pricing.set_request_pico(request);
  pricing.set_image_pico(image);
  return pricing;
}

struct Counts {
  int64_t prompt = 0, completion = 0, cached = 0, written = 0, reasoning = 0, audio_in = 0,
          audio_out = 0, images = 0;
};

Usage Tokens(const Counts& counts) {
  Usage usage;
  usage.set_prompt_tokens(counts.prompt);
  usage.set_completion_tokens(counts.completion);
  usage.set_cached_tokens(counts.cached);
  usage.set_cache_write_tokens(counts.written);
  usage.set_reasoning_tokens(counts.reasoning);
  usage.set_audio_prompt_tokens(counts.audio_in);
  usage.set_audio_completion_tokens(counts.audio_out);
  usage.set_images(counts.images);
  return usage;
}

// 3 USD per million input, 15 out, 0.30 read, 3.75 written: a common price list.
const Pricing kFull = Prices(3'000'000, 15'000'000, 300'000, 3'750'000);

struct GoldenCase {
  const char* name;
  Pricing pricing;
  Counts counts;
  const char* usd;
};

class GoldenCostTable : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(GoldenCostTable, HoldsExactly) {
  const GoldenCase& c = GetParam();
  EXPECT_EQ(NanoToDecimal(ProviderCost(c.pricing, Tokens(c.counts)).Rounded()), c.usd);
}

INSTANTIATE_TEST_SUITE_P(
    All, GoldenCostTable,
    ::testing::Values(
        GoldenCase{"Nothing", kFull, {}, "0"},
        GoldenCase{"PromptOnly", kFull, {.prompt = 1000}, "0.003"},
        GoldenCase{"PromptAndCompletion", kFull, {.prompt = 1000, .completion = 500}, "0.0105"},
        GoldenCase{
            "CachedTokensLeaveThePromptPrice", kFull, {.prompt = 1000, .cached = 800}, "0.00084"},
        GoldenCase{"AllCached", kFull, {.prompt = 1000, .cached = 1000}, "0.0003"},
        GoldenCase{"WrittenTokensLeaveThePromptPrice",
                   kFull,
                   {.prompt = 1000, .written = 1000},
                   "0.00375"},
        GoldenCase{
            "ReadAndWritten", kFull, {.prompt = 1000, .cached = 600, .written = 300}, "0.001605"},
        GoldenCase{
            "ReasoningIsInsideCompletion", kFull, {.completion = 500, .reasoning = 400}, "0.0075"},
        GoldenCase{"AudioIsInsidePromptAndCompletion",
                   kFull,
                   {.prompt = 100, .completion = 100, .audio_in = 90, .audio_out = 80},
                   "0.0018"},
        GoldenCase{"NoCacheReadPriceMeansPromptPrice",
                   Prices(3'000'000, 0, -1, -1),
                   {.prompt = 1000, .cached = 400, .written = 100},
                   "0.003"},
        GoldenCase{"FreeCacheReads",
                   Prices(3'000'000, 0, 0, -1),
                   {.prompt = 1000, .cached = 400},
                   "0.0018"},
        GoldenCase{"PerRequest", Prices(0, 0, -1, -1, 5'000'000'000), {}, "0.005"},
        GoldenCase{"PerImage",
                   Prices(1'000'000, 0, -1, -1, 0, 2'000'000'000),
                   {.prompt = 10, .images = 3},
                   "0.00601"},
        GoldenCase{
            "FreeModel", Prices(0, 0, 0, 0), {.prompt = 1'000'000, .completion = 1'000'000}, "0"},
        GoldenCase{
            "CheapestRealPriceRoundsHalfUp", Prices(500, 0, -1, -1), {.prompt = 1}, "0.000000001"},
        GoldenCase{"BelowHalfANanoRoundsDown", Prices(499, 0, -1, -1), {.prompt = 1}, "0"},
        GoldenCase{
            "MoreCachedThanPromptIsBounded", kFull, {.prompt = 100, .cached = 500}, "0.00003"},
        GoldenCase{"ReadPlusWrittenAbovePromptIsBounded",
                   kFull,
                   {.prompt = 100, .cached = 80, .written = 80},
                   "0.000099"},
        GoldenCase{"NegativeCountsAreZero",
                   kFull,
                   {.prompt = -5, .completion = -1, .cached = -3, .written = -2, .images = -1},
                   "0"},
        // 40K uncached × $2/M + 60K cached × $0.5/M + 4K out × $8/M
        GoldenCase{"PublishedExample",
                   Prices(2'000'000, 8'000'000, 500'000, -1),
                   {.prompt = 100'000, .completion = 4'000, .cached = 60'000},
                   "0.142"}),
    [](const ::testing::TestParamInfo<GoldenCase>& tested) {
      return std::string(tested.param.name);
    });

TEST(ProviderCost, SaturatesInsteadOfOverflowing) {
  const int64_t max = std::numeric_limits<int64_t>::max();
  const NanoUsd cost =
      ProviderCost(Prices(max / 4, max / 4, -1, -1), Tokens({.prompt = max, .completion = max}))
          .Rounded();
  EXPECT_EQ(cost.value, max);
}

TEST(ProviderCost, MarkUpAppliesBeforeRounding) {
  CostSum sum = ProviderCost(Prices(400, 0, -1, -1), Tokens({.prompt = 1}));
  sum.MarkUp(2500);  // 0.4 nano × 1.25 = 0.5 nano
  EXPECT_EQ(sum.Rounded().value, 1);
}

}  // namespace
}  // namespace signalbox::pricing
