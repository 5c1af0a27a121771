#include "tests/support/certificates.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace signalbox::testing {

Certificates::Certificates() {
  folder_ =
      (std::filesystem::temp_directory_path() / "signalbox-certs-").string() + std::string(6, 'X');
  if (mkdtemp(folder_.data()) == nullptr) std::abort();
  Run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
      "-subj '/CN=test authority' -keyout ca.key -out ca.pem");
}

Certificates::~Certificates() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

Certificates::Files Certificates::Make(const std::string& file, const std::string& names) {
  const Files files{absl::StrCat(folder_, "/", file, ".pem"),
                    absl::StrCat(folder_, "/", file, ".key")};
  std::ofstream(absl::StrCat(folder_, "/", file, ".ext")) << "subjectAltName=" << names << "\n";
  Run(absl::StrCat(
      "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj '/CN=", file,
      "' -keyout ", file, ".key.new -out ", file, ".csr && openssl x509 -req -in ", file,
      ".csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ", file, ".ext -out ", file,
      ".pem.new && mv ", file, ".key.new ", file, ".key && mv ", file, ".pem.new ", file, ".pem"));
  return files;
}

void Certificates::Run(const std::string& command) const {
  if (std::system(absl::StrCat("cd ", folder_, " && { ", command, "; } >log 2>&1").c_str()) == 0)
    return;
  std::fprintf(stderr, "openssl failed:\n%s\n", command.c_str());
  std::abort();
}

}  // namespace signalbox::testing
