// libcurl, loaded when it is first needed: it and what it brings along are megabytes that a server would hold for
// nothing.
#pragma once

#include <curl/curl.h>

namespace paro::hub {

struct Curl {
  Curl();  // throws Error{io} where the library is not installed

  decltype(&curl_global_init) global_init;
  decltype(&curl_easy_init) easy_init;
  decltype(&curl_easy_cleanup) easy_cleanup;
  decltype(&curl_easy_reset) easy_reset;
  decltype(&curl_easy_setopt) easy_setopt;
  decltype(&curl_easy_perform) easy_perform;
  decltype(&curl_easy_strerror) easy_strerror;
  decltype(&curl_slist_append) slist_append;
  decltype(&curl_slist_free_all) slist_free_all;
};

const Curl& curl();  // the one of the program

}  // namespace paro::hub
