#include "base/check.h"

#include "base/error.h"

namespace paro {

void check_failed(const char* condition, const char* file, int line, std::string_view message) {
  std::string_view name = file;
  if (const auto slash = name.find("src/"); slash != std::string_view::npos) name.remove_prefix(slash);
  throw Error(ErrorKind::internal, "internal error at {}:{}: {} does not hold{}{}", name, line, condition,
              message.empty() ? "" : ": ", message);
}

}  // namespace paro
