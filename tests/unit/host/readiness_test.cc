#include "common/host/readiness.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace signalbox::host {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Readiness, WaitsForTheStateAndForAllLatches) {
  Readiness readiness;
  ReadinessLatch store = readiness.AddLatch("store");
  ReadinessLatch catalogue = readiness.AddLatch("catalogue");
  EXPECT_THAT(readiness.waiting(), ElementsAre("starting", "catalogue", "store"));
  readiness.SetState(HostState::kServing);
  store.Release();
  store.Release();
  EXPECT_THAT(readiness.waiting(), ElementsAre("catalogue"));
  EXPECT_FALSE(readiness.ready());
  catalogue.Release();
  EXPECT_TRUE(readiness.ready());
  EXPECT_THAT(readiness.waiting(), IsEmpty());
}

TEST(Readiness, IsGoneFromTheFirstMomentOfADrain) {
  Readiness readiness;
  readiness.SetState(HostState::kServing);
  EXPECT_TRUE(readiness.ready());
  readiness.SetState(HostState::kDraining);
  EXPECT_FALSE(readiness.ready());
  EXPECT_THAT(readiness.waiting(), ElementsAre("draining"));
}

TEST(Readiness, TellsEachChangeOnce) {
  Readiness readiness;
  std::vector<bool> seen;
  readiness.OnChange([&](bool ready) { seen.push_back(ready); });
  ReadinessLatch latch = readiness.AddLatch("x");
  readiness.SetState(HostState::kServing);
  latch.Release();
  readiness.SetState(HostState::kServing);
  readiness.SetState(HostState::kDraining);
  readiness.SetState(HostState::kStopped);
  EXPECT_THAT(seen, ElementsAre(false, true, false));
}

TEST(Readiness, ALatchOfNobodyDoesNothing) {
  ReadinessLatch latch;
  latch.Release();
}

}  // namespace
}  // namespace signalbox::host
