// The post-processor: which tokens stand before and after the encoded text (<bos>).
#pragma once

#include <cstdint>
#include <vector>

#include "text/tokenizer_json.h"

namespace paro::text {

class TokenTemplate {
 public:
  TokenTemplate() = default;  // the text alone
  explicit TokenTemplate(const JsonNode& node);

  std::vector<int32_t> apply(std::vector<int32_t> text_ids) const;

 private:
  void add(const JsonNode& node);
  void read_template(const JsonNode& node);

  std::vector<int32_t> before_;
  std::vector<int32_t> after_;
  bool has_template_ = false;
};

}  // namespace paro::text
