// A property that must hold for every input; abort makes the fuzzer keep the input.
#ifndef SIGNALBOX_TESTS_FUZZ_REQUIRE_H_
#define SIGNALBOX_TESTS_FUZZ_REQUIRE_H_

#include <cstdio>
#include <cstdlib>

#define REQUIRE(condition)                                                 \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                        \
    }                                                                      \
  } while (false)

#endif  // SIGNALBOX_TESTS_FUZZ_REQUIRE_H_
