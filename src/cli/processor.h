// Which processor this is: figures mean little without it.
#pragma once

#include <string>
#include <string_view>

namespace paro::cli {

struct Processor {
  std::string name;  // empty: the system does not tell
  int family = 0;    // 0: likewise
  int model = 0;

  std::string text() const;  // "AMD EPYC 9654 (family 25, model 17)"
};

Processor this_processor();
// The first processor of a /proc/cpuinfo.
Processor parse_cpuinfo(std::string_view text);

}  // namespace paro::cli
