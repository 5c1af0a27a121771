// What must hold of a catalogue before it is indexed. Used only inside this room.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_COMMON_CATALOGUE_CHECK_H_
#define SIGNALBOX_COMMON_CATALOGUE_CHECK_H_

#include "absl/strings/string_view.h"
#include "common/config/report.h"
#include "signalbox/config/v1/catalogue.pb.h"

namespace signalbox::catalogue {

// Adds every problem of the catalogue to the report, by field path: missing and duplicate names,
// unknown providers, bad prices, negative or contradictory limits, bad URLs. Expects what the
// loader read, before Normalise.
void Check(const config::v1::Catalogue& catalogue, config::Report& report);

// Makes implied facts explicit: a provider's display name and dialect, a URL without final slash,
// text as modality, an endpoint's provider; joins a model that is named again, with endpoints and
// aliases only, to its first mention. REQUIRES: Check found no problem.
void Normalise(config::v1::Catalogue& catalogue);

// "deepinfra/fp8" -> "deepinfra".
absl::string_view ProviderOfTag(absl::string_view tag);

}  // namespace signalbox::catalogue

#endif  // SIGNALBOX_COMMON_CATALOGUE_CHECK_H_
