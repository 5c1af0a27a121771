// Thompson sampling as a lottery. An endpoint's score is a random number, as uncertain as what is
// known of it; its share is the probability that its score is the lowest of all. Drawing with
// these shares is what drawing every score and taking the lowest would do, but the shares can be
// shown, reused for a while, and taken for a conversation's fixed choice.
//
// The scores of all endpoints are laid over one grid of cells, finest where the lowest score is
// likely to lie; within a cell each endpoint has a constant hazard, so that the shares of any
// subset are a sum over cells (competing risks).
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_LOTTERY_H_
#define SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_LOTTERY_H_

#include <vector>

#include "absl/types/span.h"

namespace signalbox::router_decision {

class Lottery {
 public:
  // score = offset + mean x G, G gamma distributed with mean 1 and this shape. Lower is better.
  struct Ticket {
    double offset = 0;
    double mean = 0;
    double shape = 1;

    double expected() const { return offset + mean; }
    friend bool operator==(const Ticket&, const Ticket&) = default;
  };

  Lottery() = default;
  explicit Lottery(absl::Span<const Ticket> tickets);

  // The probability of each of `who` (indices of tickets, each once) to have the lowest score among
  // them; they sum to 1. No allocation. REQUIRES: shares.size() == who.size().
  void Shares(absl::Span<const int> who, absl::Span<double> shares) const;

 private:
  static constexpr int kCells = 64;
  struct Curve {
    float log_survival[kCells];  // at the cell's beginning
    float hazard[kCells];        // ln of what survives the cell, negated
  };
  std::vector<Curve> curves_;
};

}  // namespace signalbox::router_decision

#endif  // SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_LOTTERY_H_
