// A template and the JSON of its context, with a line "====" between them, parsed and rendered under low limits.
#include <boost/json.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "require.h"
#include "text/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view kBorder = "\n====\n";
  const size_t border = input.find(kBorder);
  boost::json::object context;
  if (border != std::string_view::npos) {
    boost::json::error_code failed;
    const boost::json::value parsed = boost::json::parse(input.substr(border + kBorder.size()), failed);
    if (!failed && parsed.is_object()) context = parsed.get_object();
  }
  paro::text::RenderOptions options;
  options.now = 1741356309;
  options.max_steps = 20'000;
  options.max_built_bytes = 1 << 20;
  options.max_output_bytes = 1 << 18;
  try {
    paro::text::ChatTemplate::parse(input.substr(0, border)).render(context, options);
  } catch (const paro::Error& error) {
    paro::require(error.kind() != paro::ErrorKind::internal);
  }
  return 0;
}
