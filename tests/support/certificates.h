// A throw-away authority and certificates signed by it, as PEM files in a folder that goes with the
// object. Made by the openssl command.
//
// Thread-compatible. Blocking: for test bodies.
#ifndef SIGNALBOX_TESTS_SUPPORT_CERTIFICATES_H_
#define SIGNALBOX_TESTS_SUPPORT_CERTIFICATES_H_

#include <string>

namespace signalbox::testing {

class Certificates {
 public:
  struct Files {
    std::string certificate;
    std::string key;
  };

  Certificates();
  ~Certificates();
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;

  std::string ca() const { return folder_ + "/ca.pem"; }
  // `names` as in a subjectAltName: "DNS:redis.test,IP:127.0.0.1". The same `file` again replaces
  // the files.
  Files Make(const std::string& file, const std::string& names);

 private:
  void Run(const std::string& command) const;
  std::string folder_;
};

}  // namespace signalbox::testing

#endif  // SIGNALBOX_TESTS_SUPPORT_CERTIFICATES_H_
