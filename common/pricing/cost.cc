#include "common/pricing/cost.h"

#include <algorithm>
#include <cstdint>

namespace signalbox::pricing {
namespace {

int64_t NonNegative(int64_t count) { return std::max<int64_t>(count, 0); }

// -1 means "as the prompt price".
int64_t CachePrice(int64_t price, int64_t prompt_price) { return price < 0 ? prompt_price : price; }

}  // namespace

CostSum ProviderCost(const common::v1::Pricing& pricing, const common::v1::Usage& usage) {
  const int64_t prompt = NonNegative(usage.prompt_tokens());
  const int64_t cached = std::min(NonNegative(usage.cached_tokens()), prompt);
  const int64_t written = std::min(NonNegative(usage.cache_write_tokens()), prompt - cached);
  const int64_t prompt_price = NonNegative(pricing.prompt_pico());

  CostSum sum;
  sum.Add(prompt_price, prompt - cached - written);
  sum.Add(CachePrice(pricing.cache_read_pico(), prompt_price), cached);
  sum.Add(CachePrice(pricing.cache_write_pico(), prompt_price), written);
  sum.Add(NonNegative(pricing.completion_pico()), NonNegative(usage.completion_tokens()));
  sum.Add(NonNegative(pricing.request_pico()), 1);
  sum.Add(NonNegative(pricing.image_pico()), NonNegative(usage.images()));
  return sum;
}

}  // namespace signalbox::pricing
