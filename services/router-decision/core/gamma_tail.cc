#include "services/router-decision/core/gamma_tail.h"

#include <algorithm>
#include <array>
#include <boost/math/special_functions/gamma.hpp>
#include <cmath>
#include <vector>

namespace signalbox::router_decision {
namespace {

constexpr double kLeastLogShape = -4;  // shape 0.018
constexpr double kLogShapeStep = 0.25;
constexpr int kRows = 66;  // up to shape 200,000
constexpr double kLeastZ = -9;
constexpr double kZStep = 0.125;
constexpr int kColumns = 145;  // up to +9

struct Normalised {
  explicit Normalised(double shape)
      : center(1 - 1 / (9 * shape)), width(1 / (3 * std::sqrt(shape))) {}
  double center;
  double width;
};

using Row = std::array<float, kColumns>;

float LogTail(double shape, double x) {
  if (x <= 0) return 0;
  const double tail = boost::math::gamma_q(shape, shape * x);
  return tail > 0 ? std::max(GammaTail::kFloor, static_cast<float>(std::log(tail)))
                  : GammaTail::kFloor;
}

std::vector<Row> MakeTable() {
  std::vector<Row> table(kRows);
  for (int row = 0; row < kRows; ++row) {
    const double shape = std::exp(kLeastLogShape + kLogShapeStep * row);
    const Normalised normalised(shape);
    for (int column = 0; column < kColumns; ++column) {
      const double root = normalised.center + normalised.width * (kLeastZ + kZStep * column);
      table[static_cast<size_t>(row)][static_cast<size_t>(column)] =
          root <= 0 ? 0 : LogTail(shape, root * root * root);
    }
  }
  return table;
}

const std::vector<Row>& Table() {
  static const auto* const table = new std::vector<Row>(MakeTable());
  return *table;
}

}  // namespace

GammaTail::GammaTail(double shape) {
  const double place =
      std::clamp((std::log(shape) - kLeastLogShape) / kLogShapeStep, 0.0, kRows - 1.001);
  const auto row = static_cast<size_t>(place);
  lower_row_ = Table()[row].data();
  upper_row_ = Table()[row + 1].data();
  upper_weight_ = static_cast<float>(place - static_cast<double>(row));
  const Normalised normalised(std::exp(kLeastLogShape + kLogShapeStep * place));
  center_ = normalised.center;
  width_ = normalised.width;
}

float GammaTail::LogSurvival(double x) const {
  if (x <= 0) return 0;
  const double z = (std::cbrt(x) - center_) / width_;
  if (z <= kLeastZ) return 0;
  const double place = (z - kLeastZ) / kZStep;
  if (place >= kColumns - 1) return kFloor;
  const auto column = static_cast<size_t>(place);
  const auto weight = static_cast<float>(place - static_cast<double>(column));
  const auto along = [&](const float* row) {
    return row[column] + weight * (row[column + 1] - row[column]);
  };
  return along(lower_row_) + upper_weight_ * (along(upper_row_) - along(lower_row_));
}

double GammaTail::Near(double z) const {
  const double root = std::max(0.0, center_ + width_ * z);
  return root * root * root;
}

}  // namespace signalbox::router_decision
