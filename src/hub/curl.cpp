#include "hub/curl.h"

#include <dlfcn.h>

#include <type_traits>

#include "base/check.h"
#include "base/error.h"

namespace paro::hub {
namespace {

#if defined(__APPLE__)
constexpr const char* kLibrary = "libcurl.4.dylib";
#else
constexpr const char* kLibrary = "libcurl.so.4";
#endif

}  // namespace

Curl::Curl() {
  void* library = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    throw Error(ErrorKind::io, "{} cannot be loaded ({}), which downloading needs; install libcurl", kLibrary,
                ::dlerror());
  }
  const auto find = [&](const char* name, auto& function) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
    if (function == nullptr) throw Error(ErrorKind::io, "{} has no {}; install another version", kLibrary, name);
  };
  find("curl_global_init", global_init);
  find("curl_easy_init", easy_init);
  find("curl_easy_cleanup", easy_cleanup);
  find("curl_easy_reset", easy_reset);
  find("curl_easy_setopt", easy_setopt);
  find("curl_easy_perform", easy_perform);
  find("curl_easy_strerror", easy_strerror);
  find("curl_slist_append", slist_append);
  find("curl_slist_free_all", slist_free_all);
  PARO_CHECK(global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK, "{}", kLibrary);
}

const Curl& curl() {
  static const Curl library;
  return library;
}

}  // namespace paro::hub
