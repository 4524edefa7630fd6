// The web page, one HTML file. Its bytes are part of the program, written by cmake/EmbedPage.cmake from the files
// beside this one.
#pragma once

#include <string_view>

namespace paro::server {

struct Page {
  std::string_view plain, gzip;              // the same file
  std::string_view entity_tag;               // weak, for it stands for both
  std::string_view script_hash, style_hash;  // as sources in a Content-Security-Policy
};

Page page();

}  // namespace paro::server
