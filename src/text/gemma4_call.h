// Gemma 4's call: call:NAME{key:<|"|>text<|"|>,n:1,list:[…],obj:{…}}. Bare values are numbers, true, false, null, else
// strings.
#pragma once

#include <string>
#include <string_view>

#include "text/call_reader.h"
#include "text/object_scanner.h"

namespace paro::text {

// Stands for a <|"|> token in a call's text: a byte that no UTF-8 text has.
inline constexpr char kGemma4Quote = '\xff';

class Gemma4CallReader final : public CallReader {
 private:
  std::string_view read(std::string_view text) override;
  std::string_view read_head(std::string_view text);

  std::string head_;  // what stands before the arguments
  bool in_arguments_ = false;
  ObjectScanner scanner_{{kGemma4Quote, false, true}, arguments_};
};

}  // namespace paro::text
