// What a decision costs: it sits on the path of every request.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/router-decision/core/policy.h"
#include "tests/unit/router-decision/world.h"

namespace {
std::atomic<int64_t> allocations{0};
}  // namespace

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SIGNALBOX_COUNTS_ALLOCATIONS 1
void* operator new(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
#endif

namespace signalbox::router_decision {
namespace {

// One model at 25 providers.
std::string LargeModel() {
  std::string providers = "providers:\n",
              model = "models:\n- id: a/one\n  context_length: 100000\n  endpoints:\n";
  for (int i = 0; i < 25; ++i) {
    absl::StrAppend(&providers, "- {slug: provider-number-", i, ", name: Provider Number ", i,
                    "}\n");
    absl::StrAppend(&model, "  - {tag: provider-number-", i,
                    "/fp8, quantization: fp8, price: {prompt: 0.00000", 1 + i % 9,
                    "}, supported_parameters: [max_tokens, temperature, tools, top_p]}\n");
  }
  return absl::StrCat(providers, model);
}

TEST(RankCost, OrderingTwentyFiveEndpointsAllocatesNothing) {
#ifndef SIGNALBOX_COUNTS_ALLOCATIONS
  GTEST_SKIP() << "sanitizers have their own allocator";
#endif
  World world(LargeModel());
  const router::v1::RequestFeatures features = ToolRequest({"a/one"});
  const std::shared_ptr<const Snapshot> snapshot = world.holder.Get();
  Rng rng(1);
  const int64_t before = allocations.load();
  const auto choices = ChooseModels(snapshot->catalogue(), features);
  const RequestFilters filters(features);
  const Ranking ranking = Rank(*snapshot, features, filters, *choices, world.clock.Now(), rng);
  const int64_t after = allocations.load();
  EXPECT_EQ(ranking.candidates.size(), 25u);
  EXPECT_EQ(after - before, 0);
}

TEST(RankCost, ADecisionOfTwentyFiveEndpointsTakesMicroseconds) {
  World world(LargeModel());
  Router router = world.MakeRouter();
  const router::v1::RequestFeatures features = ToolRequest({"a/one"});
  absl::Duration best = absl::InfiniteDuration();
  for (int batch = 0; batch < 20; ++batch) {
    const absl::Time start = absl::Now();
    for (int i = 0; i < 100; ++i) (void)router.DecideNow(features);
    best = std::min(best, (absl::Now() - start) / 100);
  }
  RecordProperty("decide_ns", static_cast<int>(absl::ToInt64Nanoseconds(best)));
  std::cerr << "a decision takes " << best << "\n";
  EXPECT_LT(best, absl::Microseconds(500))
      << "generous for sanitizers; about 10 us in a release build";
}

}  // namespace
}  // namespace signalbox::router_decision
