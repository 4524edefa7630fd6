#include "cli/environment.h"

#include <cctype>
#include <string>

namespace paro::cli {

void read_environment(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_lnames().empty() || option == app.get_help_ptr()) continue;
    std::string name = "PARO_";
    for (const char c : option->get_lnames().front()) {
      name += c == '-' ? '_' : char(std::toupper(static_cast<unsigned char>(c)));
    }
    option->envname(name);
  }
}

}  // namespace paro::cli
