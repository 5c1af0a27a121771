#include "services/router-decision/core/lottery.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "absl/container/inlined_vector.h"
#include "services/router-decision/core/gamma_tail.h"

namespace signalbox::router_decision {
namespace {

constexpr double kLeastMean = 1e-7;
// Where each distribution lies: z-values at which it wants a cell to begin.
constexpr double kMarks[] = {-3, -2, -1.5, -1, -0.6, -0.3, 0, 0.3, 0.6, 1, 1.5, 2, 3, 4};
// The lowest score is hardly above the lowest of these upper ends.
constexpr double kUpperEnd = 3.5;

struct Distribution {
  Distribution(const Lottery::Ticket& ticket)
      : offset(ticket.offset), mean(std::max(ticket.mean, kLeastMean)), tail(ticket.shape) {}
  float LogSurvival(double x) const { return tail.LogSurvival((x - offset) / mean); }
  double Near(double z) const { return offset + mean * tail.Near(z); }

  double offset;
  double mean;
  GammaTail tail;
};

// Beginnings of the cells: three quarters of them where the lowest score is likely to lie, the rest
// above, for the case that the best are left out.
template <size_t kCount>
std::array<double, kCount> PlaceCells(absl::Span<const Distribution> distributions) {
  double likely_end = std::numeric_limits<double>::infinity();
  for (const Distribution& d : distributions) likely_end = std::min(likely_end, d.Near(kUpperEnd));
  absl::InlinedVector<double, 512> likely;
  absl::InlinedVector<double, 512> above;
  for (const Distribution& d : distributions) {
    for (double z : kMarks) {
      const double mark = d.Near(z);
      (mark <= likely_end ? likely : above).push_back(mark);
    }
  }
  std::sort(likely.begin(), likely.end());
  std::sort(above.begin(), above.end());
  const size_t low = above.empty() ? kCount : kCount * 3 / 4;
  std::array<double, kCount> cells;
  for (size_t i = 0; i < low; ++i) cells[i] = likely[i * likely.size() / low];
  for (size_t i = low; i < kCount; ++i) cells[i] = above[(i - low) * above.size() / (kCount - low)];
  return cells;
}

}  // namespace

Lottery::Lottery(absl::Span<const Ticket> tickets) : curves_(tickets.size()) {
  if (tickets.empty()) return;
  const absl::InlinedVector<Distribution, 32> distributions(tickets.begin(), tickets.end());
  const auto cells = PlaceCells<kCells>(distributions);
  for (size_t i = 0; i < curves_.size(); ++i) {
    Curve& curve = curves_[i];
    for (size_t cell = 0; cell < kCells; ++cell)
      curve.log_survival[cell] = cell == 0 ? 0 : distributions[i].LogSurvival(cells[cell]);
    for (size_t cell = 0; cell < kCells; ++cell) {
      const float next = cell + 1 < kCells ? curve.log_survival[cell + 1] : GammaTail::kFloor - 1;
      curve.hazard[cell] = std::max(0.0F, curve.log_survival[cell] - next);
    }
  }
}

void Lottery::Shares(absl::Span<const int> who, absl::Span<double> shares) const {
  float survival[kCells] = {};
  float hazard[kCells] = {};
  for (int ticket : who) {
    const Curve& curve = curves_[static_cast<size_t>(ticket)];
    for (int cell = 0; cell < kCells; ++cell) {
      survival[cell] += curve.log_survival[cell];
      hazard[cell] += curve.hazard[cell];
    }
  }
  // The part of a cell's hazard that one unit of it wins.
  float weight[kCells];
  for (int cell = 0; cell < kCells; ++cell) {
    weight[cell] =
        hazard[cell] > 0 ? std::exp(survival[cell]) * -std::expm1(-hazard[cell]) / hazard[cell] : 0;
  }
  double sum = 0;
  for (size_t i = 0; i < who.size(); ++i) {
    const Curve& curve = curves_[static_cast<size_t>(who[i])];
    float share = 0;
    for (int cell = 0; cell < kCells; ++cell) share += curve.hazard[cell] * weight[cell];
    shares[i] = static_cast<double>(share);
    sum += shares[i];
  }
  for (double& share : shares)
    share = sum > 0 ? share / sum : 1.0 / static_cast<double>(who.size());
}

}  // namespace signalbox::router_decision
