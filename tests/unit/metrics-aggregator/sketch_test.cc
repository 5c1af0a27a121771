#include "services/metrics-aggregator/core/sketch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "common/base/rng.h"

namespace signalbox::metrics_aggregator {
namespace {

double QuantileOf(const store::Cells& cells, double q) {
  DenseCells dense;
  dense.Add(cells);
  return dense.Quantile(q);
}

TEST(Sketch, CellsStandForTheirValuesWithinFivePerCent) {
  for (double value = 0.03; value < 1.5e8; value *= 1.013) {
    EXPECT_NEAR(ValueOf(CellOf(value)) / value, 1, 0.05) << value;
  }
}

TEST(Sketch, CellsGrowWithTheValue) {
  int32_t last = kFirstCell;
  for (double value = 0.001; value < 1e12; value *= 1.02) {
    EXPECT_GE(CellOf(value), last);
    last = CellOf(value);
  }
  EXPECT_EQ(last, kLastCell);
  EXPECT_EQ(CellOf(1e-300), kFirstCell);
}

TEST(Sketch, QuantilesOfManyDistributionsAreWithinFivePerCent) {
  Rng rng(5);
  for (double spread : {0.1, 0.5, 1.5}) {
    std::vector<double> values;
    store::Cells cells;
    for (int i = 0; i < 5000; ++i) {
      double normal = -6;
      for (int k = 0; k < 12; ++k) normal += rng.Uniform();
      values.push_back(800 * std::exp(spread * normal));
      cells.Add(CellOf(values.back()), 1);
    }
    std::sort(values.begin(), values.end());
    for (double q : {0.01, 0.5, 0.75, 0.9, 0.99}) {
      const double exact = values[static_cast<size_t>(std::ceil(q * 5000)) - 1];
      EXPECT_NEAR(QuantileOf(cells, q) / exact, 1, 0.05) << q;
    }
  }
}

TEST(Sketch, HasNoQuantilesWithoutData) {
  EXPECT_EQ(QuantileOf(store::Cells(), 0.5), 0);
  EXPECT_EQ(DenseCells().Percentiles().p99(), 0);
}

TEST(Sketch, OneValueIsEveryQuantile) {
  store::Cells cells;
  cells.Add(CellOf(100), 1);
  for (double q : {0.0, 0.5, 1.0}) EXPECT_NEAR(QuantileOf(cells, q), 100, 5);
}

}  // namespace
}  // namespace signalbox::metrics_aggregator
