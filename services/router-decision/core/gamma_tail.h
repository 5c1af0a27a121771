// The upper tail of a gamma distribution with mean 1, from a table: what a lottery needs thousands
// of times a second.
//
// Pure; thread-safe. The table is made at first use (some 20 ms).
#ifndef SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_GAMMA_TAIL_H_
#define SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_GAMMA_TAIL_H_

namespace signalbox::router_decision {

// One distribution, found in the table.
class GammaTail {
 public:
  // ln P(X > x) is not told below this.
  static constexpr float kFloor = -40;

  // REQUIRES: shape > 0. Shapes outside 0.02 … 200,000 are taken for the nearest of these.
  explicit GammaTail(double shape);

  // ln P(X > x); 0 where x <= 0. The absolute error is below 0.02 down to -10, and 2 % below that.
  float LogSurvival(double x) const;
  // About the x with P(X > x) = P(N > z) for a standard normal N, at least 0.
  double Near(double z) const;

 private:
  // Wilson and Hilferty (1931): (X^(1/3) - center_) / width_ is nearly standard normal.
  double center_;
  double width_;
  const float* lower_row_;
  const float* upper_row_;
  float upper_weight_;
};

}  // namespace signalbox::router_decision

#endif  // SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_GAMMA_TAIL_H_
