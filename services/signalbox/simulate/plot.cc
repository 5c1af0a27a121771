#include "services/signalbox/simulate/plot.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace signalbox::simulate {
namespace {

constexpr double kWidth = 860;
constexpr double kHeight = 380;
constexpr double kLeft = 60;
constexpr double kRight = 150;
constexpr double kTop = 30;
constexpr double kBottom = 50;
// Told apart by people who do not see all colours (Okabe and Ito).
constexpr const char* kColours[] = {"#000000", "#D55E00", "#0072B2", "#009E73",
                                    "#E69F00", "#CC79A7", "#56B4E9"};

// A round number of per cent that is not below any error rate.
double TopOf(const Study& study) {
  double highest = 0;
  for (const PolicyResult& policy : study.policies) {
    for (double error : policy.error_by_time) highest = std::max(highest, error);
  }
  return std::max(1.0, std::ceil(highest * 100)) / 100;
}

}  // namespace

std::string ToSvg(const Study& study, double hours) {
  const double top = TopOf(study);
  const auto x = [](double share) { return kLeft + share * (kWidth - kLeft - kRight); };
  const auto y = [top](double error) {
    return kHeight - kBottom - error / top * (kHeight - kTop - kBottom);
  };
  std::string svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" "
      "fill=\"white\"/>\n<text x=\"%.0f\" y=\"18\">Broken tool calls, mean over %d models</text>\n",
      kWidth, kHeight, kLeft, study.models);
  constexpr int kLines = 5;
  for (int i = 0; i <= kLines; ++i) {
    const double share = static_cast<double>(i) / kLines;
    absl::StrAppendFormat(&svg,
                          "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>"
                          "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%.1f %%</text>"
                          "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.3g h</text>\n",
                          kLeft, y(share * top), x(1), y(share * top), kLeft - 6,
                          y(share * top) + 4, 100 * share * top, x(share), kHeight - kBottom + 18,
                          share * hours);
  }
  for (size_t p = 0; p < study.policies.size(); ++p) {
    const PolicyResult& policy = study.policies[p];
    const char* colour = kColours[p % std::size(kColours)];
    absl::StrAppendFormat(
        &svg, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"", colour);
    for (size_t part = 0; part < policy.error_by_time.size(); ++part) {
      absl::StrAppendFormat(&svg, "%.1f,%.1f ",
                            x((static_cast<double>(part) + 0.5) / static_cast<double>(kParts)),
                            y(policy.error_by_time[part]));
    }
    const double line = kTop + 20 * static_cast<double>(p);
    absl::StrAppendFormat(&svg, "\"/>\n<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\">%s</text>\n",
                          x(1) + 12, line + 4, colour, policy.policy);
  }
  return absl::StrCat(svg, "</svg>\n");
}

}  // namespace signalbox::simulate
