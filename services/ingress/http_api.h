// The public HTTP surface: which path and method means what, under /api/v1 and, as an alias, /v1.
//
//   POST /chat/completions                       key    chat_call
//   GET  /models  /models/count                  –      models_api
//   GET  /models/{author}/{slug}[/endpoints]     –      models_api
//   GET  /providers                              –      models_api
//   GET  /key                                    key    what the key may and has spent
//   GET  /generation?id=                         key    generation record
//
// Anything else is a 404 or 405 in the same error shape; OPTIONS answers CORS preflights; HEAD is
// GET without a body.
//
// Thread-safe; each request stays on the event loop it arrived on.
#ifndef SIGNALBOX_SERVICES_INGRESS_HTTP_API_H_
#define SIGNALBOX_SERVICES_INGRESS_HTTP_API_H_

#include <atomic>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/http/server.h"
#include "services/ingress/core/models_api.h"
#include "services/ingress/http_front.h"
#include "services/ingress/loop_services.h"

namespace signalbox::ingress {

struct HttpApiOptions {
  int max_in_flight = 10'000;
  size_t stream_buffer_bytes = 64 * 1024;
};

class HttpApi {
 public:
  // The services of an exchange's loop. Called on that loop.
  using LoopServicesOf = std::function<LoopServices&(Executor&)>;

  HttpApi(const HttpApiOptions& options, const SharedServices& shared, LoopServicesOf services_of);

  void Handle(http::Request request, std::shared_ptr<http::Exchange> exchange);

  // The catalogue as JSON, built when it changes. Null before the first catalogue.
  std::shared_ptr<const ModelsApi> Models() ABSL_LOCKS_EXCLUDED(mutex_);

  // Body of the answers the HTTP server itself makes.
  static http::Response ServerError(int status, absl::string_view reason);

 private:
  struct Route;
  static Route Match(absl::string_view path);

  void Dispatch(const Route& route, http::Request request,
                std::shared_ptr<http::Exchange> exchange);
  void Chat(http::Request request, std::shared_ptr<http::Exchange> exchange);
  void Catalogue(const Route& route, const http::Request& request, http::Exchange& exchange);
  void Key(const http::Request& request, std::shared_ptr<http::Exchange> exchange);
  void Generation(const http::Request& request, std::shared_ptr<http::Exchange> exchange);
  void RespondError(Method method, http::Exchange& exchange, const absl::Status& status);
  void RespondJson(Method method, http::Exchange& exchange, std::string body);

  const HttpApiOptions options_;
  const SharedServices& shared_;
  const LoopServicesOf services_of_;
  absl::Mutex mutex_;
  std::shared_ptr<const ModelsApi> models_ ABSL_GUARDED_BY(mutex_);
};

// Reads a generation on the loop; a record that is not there yet is asked for again for a short
// while, because a client may ask in the moment its answer ends. `done` gets NOT_FOUND or
// UNAVAILABLE errors.
void ReadGeneration(LoopServices& services, const std::string& id, const std::string& key_hash,
                    std::function<void(absl::StatusOr<std::string>)> done);

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_HTTP_API_H_
