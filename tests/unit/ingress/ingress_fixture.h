// An ingress whose world is fake and whose time is the test's: one event loop's services and what
// they talk to.
#ifndef SIGNALBOX_TESTS_UNIT_INGRESS_INGRESS_FIXTURE_H_
#define SIGNALBOX_TESTS_UNIT_INGRESS_INGRESS_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "services/ingress/loop_services.h"
#include "tests/support/manual_executor.h"
#include "tests/unit/ingress/fakes.h"
#include "tests/unit/ingress/test_catalogue.h"

namespace signalbox::ingress {

class IngressFixture : public ::testing::Test {
 protected:
  IngressFixture()
      : executor_(clock_),
        catalogue_(TestCatalogue()),
        shared_{options_, router_,      adapter_,
                keys_,    generations_, [this] { return catalogue_; },
                metrics_, clock_,       conversations_,
                circuits_},
        services_(std::make_unique<LoopServices>(shared_, executor_, Rng(7))) {
    keys_.Add(RecordOf(TestKey()));
    AddCandidate(&*router_.answer, "first");
    AddCandidate(&*router_.answer, "second");
  }

  // Options are read when they are needed, those of auth, caches and settlement when the services
  // are made.
  void RemakeServices() { services_ = std::make_unique<LoopServices>(shared_, executor_, Rng(7)); }

  FakeClock clock_;
  testing::ManualExecutor executor_;
  ChatOptions options_;
  FakeRouter router_;
  FakeAdapter adapter_;
  FakeKeyStore keys_;
  FakeGenerationStore generations_;
  std::shared_ptr<const catalogue::Catalogue> catalogue_;
  IngressMetrics metrics_;
  Conversations conversations_{ConversationOptions()};
  Circuits circuits_{CircuitOptions()};
  const SharedServices shared_;
  std::unique_ptr<LoopServices> services_;
};

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_TESTS_UNIT_INGRESS_INGRESS_FIXTURE_H_
