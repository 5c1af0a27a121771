// A study as a picture: the error rate of each policy over time.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_SIMULATE_PLOT_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_SIMULATE_PLOT_H_

#include <string>

#include "services/signalbox/simulate/study.h"

namespace signalbox::simulate {

std::string ToSvg(const Study& study, double hours);

}  // namespace signalbox::simulate

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_SIMULATE_PLOT_H_
